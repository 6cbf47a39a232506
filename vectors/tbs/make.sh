#!/bin/sh
# Makes the certificates of this folder with openssl: a CA, and client certificates of it whose first fields differ in length. They are
# test data; the keys are thrown away. Run it in an empty folder.
set -eu
cat > ca.cnf <<'X'
oid_section = oids
[oids]
level = 1.3.6.1.4.1.32473.9
[req]
distinguished_name = n
prompt = no
x509_extensions = authority
[n]
C = CH
O = Example Organisation
CN = Example CA
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[client]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth
subjectAltName = email:ada@example.org
[attributes]
basicConstraints = critical,CA:FALSE
subjectKeyIdentifier = hash
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth,emailProtection
certificatePolicies = 1.3.6.1.4.1.32473.1
crlDistributionPoints = URI:http://example.org/crl
subjectAltName = DNS:a.example,email:ada@example.org,IP:127.0.0.1,DNS:b.example,dirName:other
1.3.6.1.4.1.32473.9 = critical,ASN1:INTEGER:4294967296
1.3.6.1.4.1.32473.10 = ASN1:UTF8:blue
[other]
O = eve@example.org
[smart_card]
keyUsage = digitalSignature
extendedKeyUsage = clientAuth,msSmartcardLogin
subjectAltName = otherName:msUPN;UTF8:ada@example.org,email:ada@example.org
1.3.6.1.4.1.311.25.2 = ASN1:FORMAT:HEX,OCTETSTRING:3000
1.3.6.1.4.1.311.21.7 = ASN1:NULL
X
openssl req -x509 -newkey rsa:2048 -nodes -sha256 -config ca.cnf -keyout ca.key -out ca.pem -days 36500 2> /dev/null
# The extensions are those of a section.
client() {
  name=$1 subject=$2; shift 2
  openssl req -new -newkey rsa:2048 -nodes -config ca.cnf -multivalue-rdn -utf8 -subj "$subject" -keyout client.key -out client.csr 2> /dev/null
  openssl x509 -req -sha256 -in client.csr -CA ca.pem -CAkey ca.key -extfile ca.cnf -extensions "${section:-client}" -outform DER \
    -out "$name.der" "$@" 2> /dev/null
}
client serial_20_octets /C=CH/O="Example Organisation"/OU=Research/CN="Ada Lovelace" -set_serial 0x7fffffffffffffffffffffffffffffffffffffff -days 3650
client serial_1_octet /CN=Ada -set_serial 1 -days 3650
client serial_0 /CN=Ada -set_serial 0 -days 3650
client serial_of_a_high_octet /CN=Ada -set_serial 255 -days 3650
client generalized_time /CN=Ada/emailAddress=ada@example.org -set_serial 0x0102030405 -days 40000
client long_subject "/O=$(printf 'x%.0s' $(seq 64))/OU=$(printf 'y%.0s' $(seq 64))/CN=$(printf 'z%.0s' $(seq 64))" -set_serial 77 -days 3650
section=attributes
client attributes "/C=CH/O=Acme/OU=Research/OU=Development/CN=Ada Lovelace/emailAddress=ada@example.org/level=12" -set_serial 78 -days 3650
client multi_valued "/CN=Zoë+O=Acme+OU=Research/OU=Development/level=3" -set_serial 79 -days 3650
section=smart_card
client smart_card "/DC=org/DC=example/OU=Users/OU=Zürich/OU=Research/CN=Ada/emailAddress=ada@example.org" -set_serial 80 -days 3650
openssl x509 -in ca.pem -outform DER -out ca.der
rm ca.cnf ca.key ca.pem client.key client.csr ca.srl 2> /dev/null || true
