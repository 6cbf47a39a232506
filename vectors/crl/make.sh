#!/bin/sh
# Makes the CAs and CRLs of this folder with openssl (3.0 or newer). They are test data, and their keys are public: README.md says
# which is which. Run it in an empty folder; signatures of PKCS#1 v1.5 are the same each time, keys are not.
set -eu

ca() { # NAME COMMON-NAME EXTENSIONS GENPKEY-OPTIONS…
  name=$1 subject=$2 extensions=$3; shift 3
  openssl genpkey -quiet "$@" -out "$name.key"
  cat > tmp.cnf <<X
[req]
distinguished_name = d
x509_extensions = e
[d]
[e]
basicConstraints = critical, CA:TRUE
subjectKeyIdentifier = hash
$extensions
X
  openssl req -new -x509 -config tmp.cnf -key "$name.key" -sha256 -set_serial 1 -days 36500 \
    -subj "/O=Example Organisation/CN=$subject" -out "$name.pem"
}
usage="keyUsage = critical, keyCertSign, cRLSign"
rsa() { echo "-algorithm RSA -pkeyopt rsa_keygen_bits:$1"; }
ca ca "Example CA" "$usage" $(rsa 2048)
# Of the same name: the key is what counts.
ca other "Example CA" "$usage" $(rsa 2048)
ca bad_rsa3072 "Example CA" "$usage" $(rsa 3072)
ca bad_exponent3 "Example CA" "$usage" $(rsa 2048) -pkeyopt rsa_keygen_pubexp:3
ca bad_no_crl_sign "Example CA" "keyUsage = critical, keyCertSign" $(rsa 2048)
rm bad_*.key

# crl NAME NUMBER REVOKED EXTENSIONS [OPTIONS…]; REVOKED is serial[,reason] …
from=20241004000000Z
until=20250731000000Z
crl() {
  name=$1 number=$2 revoked=$3 extensions=$4; shift 4
  : > index
  for one in $revoked; do
    serial=${one%%,*} reason=${one#"$serial"}
    printf 'R\t991231235959Z\t241001120000Z%s\t%s\tunknown\t/CN=%s\n' "$reason" "$serial" "$serial" >> index
  done
  echo "$number" > number
  cat > tmp.cnf <<X
[ca]
default_ca = d
[d]
database = index
default_md = sha256
${number:+crlnumber = number}
${extensions:+crl_extensions = e}
[e]
$extensions
[point]
fullname = URI:http://crl.example.org/1
[indirect]
indirectCRL = TRUE
[reasons]
onlysomereasons = keyCompromise, CACompromise
[cas]
onlyCA = TRUE
[attributes]
onlyAA = TRUE
[users]
onlyuser = TRUE
X
  openssl ca -gencrl -batch -config tmp.cnf -cert ca.pem -keyfile ca.key -crl_lastupdate $from -crl_nextupdate $until \
    -out tmp.pem "$@" 2> /dev/null
  openssl crl -in tmp.pem -outform DER -out "$name.der"
}
key="authorityKeyIdentifier = keyid"
crl empty 01 "" "$key"
# A serial of 20 octets whose highest bit is set, and a reason of each kind that counts.
crl two 02 "0A,keyCompromise FE00000000000000000000000000000000000001,certificateHold" "$key"
cp tmp.pem two.pem
crl dropped 03 "FE00000000000000000000000000000000000001 0B" "$key"
crl users_only 04 "0A" "$key
issuingDistributionPoint = critical, @users"
crl sha384 05 "0A" "$key" -md sha384
crl sha512 06 "0A" "$key" -md sha512
crl other 07 "0A" "$key" -cert other.pem -keyfile other.key

crl bad_version1 "" "0A" ""
crl bad_no_number "" "0A" "$key"
crl bad_number_of_65_bits 010000000000000000 "0A" "$key"
crl bad_sha1 08 "0A" "$key" -md sha1
crl bad_pss 08 "0A" "$key" -sigopt rsa_padding_mode:pss
crl bad_critical 08 "0A" "1.2.3.4 = critical, DER:0500"
crl bad_delta 08 "0A" "2.5.29.27 = critical, DER:020107"
crl bad_indirect 08 "0A" "issuingDistributionPoint = critical, @indirect"
crl bad_shard 08 "0A" "issuingDistributionPoint = critical, @point"
crl bad_some_reasons 08 "0A" "issuingDistributionPoint = critical, @reasons"
crl bad_cas_only 08 "0A" "issuingDistributionPoint = critical, @cas"
crl bad_attributes_only 08 "0A" "issuingDistributionPoint = critical, @attributes"
crl bad_removed 08 "0A,removeFromCRL" "$key"
rm -f tmp.* index* number*
