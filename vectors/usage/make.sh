#!/bin/sh
# Makes the certificates of this folder with openssl: what one CA issues to clients, smart cards, servers, another CA, an OCSP responder, and
# some whose extensions are at the edge of what is accepted; and what the key of all of them signs. They are test data; the keys are
# thrown away. Run it in an empty folder.
set -eu
openssl req -x509 -newkey rsa:2048 -nodes -sha256 -subj "/C=CH/O=Example Organisation/CN=Example CA" -keyout ca.key -out ca.pem -days 36500 2> /dev/null
openssl req -new -newkey rsa:2048 -nodes -subj "/C=CH/O=Example Organisation/CN=Ada Lovelace" -keyout holder.key -out holder.csr 2> /dev/null
serial=1
# certificate NAME EXTENSION...
certificate() {
  name=$1; shift
  { echo "[e]"; echo "subjectKeyIdentifier = hash"; for extension in "$@"; do echo "$extension"; done; } > e.cnf
  openssl x509 -req -sha256 -in holder.csr -CA ca.pem -CAkey ca.key -extfile e.cnf -extensions e -outform DER \
    -out "$name.der" -set_serial $serial -days 3650 2> /dev/null
  serial=$((serial + 1))
}
end="basicConstraints = critical,CA:FALSE"
signs="keyUsage = critical,digitalSignature"
client="extendedKeyUsage = clientAuth"
certificate client "$end" "$signs" "$client"
certificate client_of_few_words "$client"
certificate client_of_many_words "$end" "keyUsage = critical,digitalSignature,nonRepudiation,keyEncipherment,keyAgreement" "extendedKeyUsage = emailProtection,clientAuth,timeStamping"
certificate smart_card "$end" "keyUsage = critical,digitalSignature,keyEncipherment" "extendedKeyUsage = msSmartcardLogin,emailProtection" "subjectAltName = otherName:1.3.6.1.4.1.311.20.2.3;UTF8:ada@example.org"
certificate client_and_server "$end" "keyUsage = critical,digitalSignature,keyEncipherment" "extendedKeyUsage = serverAuth,clientAuth"
certificate nine_bits "$end" "keyUsage = critical,digitalSignature,keyAgreement,decipherOnly" "$client"
certificate eight_purposes "$end" "$signs" "extendedKeyUsage = serverAuth,codeSigning,emailProtection,timeStamping,OCSPSigning,1.3.6.1.5.5.7.3.17,1.3.6.1.4.1.311.10.3.4,clientAuth"
certificate bad_server "$end" "keyUsage = critical,digitalSignature,keyEncipherment" "extendedKeyUsage = serverAuth" "subjectAltName = DNS:www.example.org"
certificate bad_authority "basicConstraints = critical,CA:TRUE" "keyUsage = critical,digitalSignature,keyCertSign,cRLSign"
certificate bad_authority_for_clients "basicConstraints = critical,CA:TRUE" "$signs" "$client"
certificate bad_path_length "basicConstraints = critical,CA:TRUE,pathlen:0" "keyUsage = critical,digitalSignature,keyCertSign,cRLSign" "$client"
certificate bad_certificate_signer "$end" "keyUsage = critical,digitalSignature,keyCertSign" "$client"
certificate bad_ocsp_responder "$end" "$signs" "extendedKeyUsage = OCSPSigning" "noCheck = ignored"
certificate bad_any_purpose "$end" "$signs" "extendedKeyUsage = anyExtendedKeyUsage"
certificate bad_no_purpose "$end" "$signs"
certificate bad_no_signature "$end" "keyUsage = critical,keyEncipherment" "$client"
certificate bad_nine_purposes "$end" "$signs" "extendedKeyUsage = serverAuth,codeSigning,emailProtection,timeStamping,OCSPSigning,1.3.6.1.5.5.7.3.17,1.3.6.1.4.1.311.10.3.4,1.3.6.1.5.5.7.3.5,clientAuth"
certificate bad_false_written "basicConstraints = critical,DER:30:03:01:01:00" "$signs" "$client"
certificate bad_padded_bits "$end" "keyUsage = critical,DER:03:02:00:80" "$client"
printf %s bauta/v1/x509-possession | openssl dgst -sha256 -sign holder.key -out possession.sig
printf %s bauta/v1/x509-possessions | openssl dgst -sha256 -sign holder.key -out bad_other_message.sig
rm ca.key ca.pem holder.key holder.csr e.cnf
