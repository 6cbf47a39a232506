module bauta.test/x509check

go 1.21
