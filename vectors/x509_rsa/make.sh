#!/bin/sh
# Makes the certificates and keys of this folder with openssl: an RSA CA, another of the same name, and certificates of clients in the manner
# of openssl, of step-ca and of smart cards, and a long one; all of one holder's key. They are test data, valid for a hundred years; the keys
# are public. Run it in an empty folder.
set -eu
key() { openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 ${2:+-pkeyopt rsa_keygen_pubexp:$2} -out "$1.key"; }
for name in ca other_ca client other_client; do key $name; done
# Keys whose exponent is 3.
for name in ca_3 client_3; do key $name 3; done

mkdir db && : > db/index && echo 4d55 > db/serial
cat > db/ca.cnf <<'X'
oid_section = oids
[oids]
level = 1.3.6.1.4.1.32473.9
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
domainComponent = optional
countryName = optional
organizationName = optional
organizationalUnitName = optional
commonName = optional
emailAddress = optional
level = optional
[req]
distinguished_name = n
[n]
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[openssl]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = email:ada@example.org
# As step-ca makes one by its default template, but that the keys are RSA: no basicConstraints, and the provisioner's extension.
[step]
keyUsage = critical,digitalSignature,keyEncipherment
extendedKeyUsage = serverAuth,clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = email:ada@example.org
1.3.6.1.4.1.37476.9000.64.1 = ASN1:SEQUENCE:provisioner
[provisioner]
type = INTEGER:1
name = FORMAT:ASCII,OCTETSTRING:admin@example.org
id = FORMAT:ASCII,OCTETSTRING:4UELJx8e0aS9m0CH3fZ0EB7D5aUPICb759zALHFejvc
[smart_card]
keyUsage = critical,digitalSignature,keyEncipherment
extendedKeyUsage = msSmartcardLogin,clientAuth,emailProtection
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = otherName:msUPN;UTF8:ada@example.org,email:ada@example.org
crlDistributionPoints = URI:http://crl.example.org/ca.crl
authorityInfoAccess = caIssuers;URI:http://example.org/ca.cer,OCSP;URI:http://ocsp.example.org
certificatePolicies = 1.3.6.1.4.1.32473.1
1.3.6.1.4.1.311.21.7 = ASN1:SEQUENCE:template
1.3.6.1.4.1.32473.9 = ASN1:INTEGER:7
[template]
id = OID:1.3.6.1.4.1.311.21.8.32473.1
major = INTEGER:100
minor = INTEGER:3
[server]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature,keyEncipherment
extendedKeyUsage = serverAuth
subjectAltName = DNS:www.example.org
[responder]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = OCSPSigning
[two_emails]
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth
subjectAltName = email:ada@example.org,email:eve@example.org
X
# With a directory's addresses of where its lists are.
address="ldap://directory.example.org/CN=CA,OU=$(printf 'Public Key Services.%.0s' 1 2 3 4 5 6)"
{
  sed -n '/^\[smart_card\]/,/^\[template\]/p' db/ca.cnf | sed '1s/.*/[long]/;$d;/^subjectAltName/d;/^crlDist/d'
  echo "subjectAltName = email:ada@example.org,URI:urn:example:$(printf 'a%.0s' $(seq 200))"
  echo "crlDistributionPoints = first,second,third,fourth"
  for point in first second third fourth; do
    echo "[$point]"
    echo "fullname = URI:$(echo "$address" | sed "s/directory/$point/;s/,/%2C/")"
  done
} > db/long
cat db/long >> db/ca.cnf
start=20200101000000Z
end=21200101000000Z
sign() { openssl ca -batch -notext -utf8 -config db/ca.cnf -startdate $start -enddate $end "$@" 2> /dev/null; }
request() { openssl req -new -utf8 -multivalue-rdn -config db/ca.cnf -key "$1.key" -subj "$2" -out db/csr; }
for name in ca other_ca ca_3; do
  request $name "/C=CH/O=Example Organisation/CN=Example CA"
  sign -selfsign -keyfile $name.key -in db/csr -extensions authority -out $name.pem
done
# certificate NAME SECTION SUBJECT [KEY [CA]]
certificate() {
  request "${4:-client}" "$3"
  ca=${5:-ca}
  sign -cert "$ca.pem" -keyfile "$ca.key" -in db/csr -extensions "$2" -out "$1.pem"
}
ada="/C=CH/O=Example Organisation/OU=Research/CN=Ada Lovelace"
certificate openssl openssl "$ada/level=7"
certificate step step "/CN=ada@example.org"
certificate smart_card smart_card "/DC=org/DC=example/O=Example Organisation/OU=Zürich+CN=Ada Lovelace/emailAddress=ada@example.org"
certificate long long "$ada"
certificate bad_other_ca openssl "$ada/level=7" client other_ca
certificate bad_ca_3 openssl "$ada/level=7" client ca_3
certificate bad_client_3 openssl "$ada/level=7" client_3
certificate bad_server server "$ada"
certificate bad_authority authority "$ada"
certificate bad_responder responder "$ada"
certificate bad_two_emails two_emails "$ada"
# What a holder signs once.
printf %s bauta/v1/x509-possession | openssl dgst -sha256 -sign client.key -out possession.sig
rm -rf db
