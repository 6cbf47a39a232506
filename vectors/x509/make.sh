#!/bin/sh
# Makes the certificates and keys of this folder with openssl: what organisations hand to their people, good and bad.
# They are test data, valid for a hundred years; the keys are public. Run it in an empty folder.
set -eu
ec() { openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:"$1" -out "$2"; }
genpkey() { openssl genpkey -quiet "$@"; }

# `openssl ca` and not `openssl x509 -req`, for its -startdate: tests do not depend on the day the data was made.
mkdir db && : > db/index && echo 01 > db/serial
cat > db/ca.cnf <<'X'
[ca]
default_ca = d
[d]
database = db/index
serial = db/serial
new_certs_dir = db
default_md = sha256
unique_subject = no
preserve = yes
policy = p
[p]
countryName = optional
organizationName = optional
organizationalUnitName = optional
commonName = supplied
title = optional
X
start=20200101000000Z
end=21200101000000Z
# sign NAME CSR CA [MORE…]
sign() {
  name=$1 csr=$2 ca=$3; shift 3
  openssl ca -batch -notext -config db/ca.cnf -cert $ca.pem -keyfile $ca.key -startdate $start -enddate $end -in "$csr" \
    -out "$name.pem" "$@" 2> /dev/null
}

# Two roots of the same make, of which one is trusted, and an intermediate.
cat > ca.ext <<'X'
basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign,cRLSign
X
root() {
  openssl req -new -key $1.key -subj "/O=Example Organisation/CN=$2" -out tmp.csr
  openssl ca -batch -notext -selfsign -config db/ca.cnf -keyfile $1.key -startdate $start -enddate $end -in tmp.csr \
    -extfile ca.ext -out $1.pem 2> /dev/null
}
for ca in root other; do ec P-256 $ca.key && root $ca "Example $ca CA"; done
ec P-384 intermediate.key
openssl req -new -key intermediate.key -subj "/O=Example Organisation/CN=Example intermediate CA" -out tmp.csr
sign intermediate tmp.csr root -extfile ca.ext

cat > client.ext <<'X'
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=clientAuth
subjectAltName=email:ada@example.org
X
sed 's/clientAuth/serverAuth/' client.ext > server.ext
sed 's/digitalSignature/keyEncipherment/' client.ext > encipher.ext
grep -v extendedKeyUsage client.ext > plain.ext
subject="/C=CH/O=Example Organisation/OU=Research/CN=Ada/title=7"

# issue NAME KEY CA EXTENSIONS SUBJECT [MORE…]
issue() {
  name=$1 key=$2 ca=$3 ext=$4 subj=$5; shift 5
  openssl req -new -key "$key" -subj "$subj" -out tmp.csr
  sign "$name" tmp.csr "$ca" -extfile "$ext" "$@"
}

# One certificate per kind of key that is taken.
ec P-256 p256.key
ec P-384 p384.key
genpkey -algorithm ED25519 -out ed25519.key
genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa2048.key
genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:4096 -out rsa4096.key
for key in p256 p384 ed25519 rsa2048 rsa4096; do issue $key $key.key root client.ext "$subject"; done
issue second p256.key root client.ext "$subject"
sed 's/ada@/bob@/' client.ext > bob.ext
issue bob p384.key root bob.ext "/C=CH/O=Example Organisation/OU=Sales/CN=Bob/title=2"

# Other forms of the same.
openssl x509 -in p256.pem -outform DER -out p256.der
openssl pkcs8 -topk8 -nocrypt -in p256.key -outform DER -out p256.pkcs8.der
openssl ec -in p256.key -out p256.sec1.pem 2> /dev/null
openssl ec -in p256.key -outform DER -out p256.sec1.der 2> /dev/null
openssl rsa -in rsa2048.key -traditional -out rsa2048.pkcs1.pem 2> /dev/null
openssl rsa -in rsa2048.key -traditional -outform DER -out rsa2048.pkcs1.der 2> /dev/null
openssl pkcs8 -topk8 -in p256.key -passout pass:secret -out p256.encrypted.pem
# What `openssl ecparam -genkey` writes: parameters first.
openssl ecparam -name prime256v1 -out tmp.params && cat tmp.params p256.sec1.pem > p256.ecparam.pem

# A chain with an intermediate, whole and without it.
issue leaf p256.key intermediate client.ext "$subject"
cat leaf.pem intermediate.pem > chain.pem

# What is refused, named by its defect. Version 1 is what openssl makes without extensions (up to OpenSSL 3.3).
openssl req -new -key p256.key -subj "$subject" -out tmp.csr
sign bad_version1 tmp.csr root
issue bad_other_ca p256.key other client.ext "$subject"
issue bad_no_client_auth p256.key root server.ext "$subject"
issue bad_no_digital_signature p256.key root encipher.ext "$subject"
issue bad_ca p256.key root ca.ext "$subject"
issue bad_sha1 p256.key root client.ext "$subject" -md sha1
issue bad_two_departments p256.key root client.ext "/O=Example Organisation/OU=Research/OU=Sales/CN=Ada"
issue bad_level p256.key root client.ext "/O=Example Organisation/OU=Research/CN=Ada/title=07"
issue bad_no_organisation p256.key root client.ext "/OU=Research/CN=Ada"
issue no_extended_key_usage p256.key root plain.ext "$subject"
genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out rsa1024.key
issue bad_rsa1024 rsa1024.key root client.ext "$subject"
# The name of the root, another key.
cp other.key impostor.key
root impostor "Example root CA"
issue bad_signature p256.key impostor client.ext "$subject"
# Expired: a day that is over. Not yet valid: a day to come.
start=20200101000000Z end=20200102000000Z
issue bad_expired p256.key root client.ext "$subject"
start=20990101000000Z end=20990102000000Z
issue bad_not_yet_valid p256.key root client.ext "$subject"
rm -rf db ./*.ext tmp.* impostor.key impostor.pem
