//! Real certificates, and what x509-cert reads of them.

use bauta_statement::{schema::Source, vector::AttributeValue};
use der::{Decode, Encode};
use x509_cert::{
    certificate::TbsCertificate,
    ext::pkix::{SubjectAltName, name::GeneralName},
};

use super::*;
use crate::hunt::samples;

/// All values at an attribute's source.
fn expected(tbs: &TbsCertificate, attribute: &Attribute) -> Vec<Vec<u8>> {
    let extension = |oid: &const_oid::ObjectIdentifier| {
        let mut all = tbs.extensions().into_iter().flatten();
        all.find(|extension| extension.extn_id == *oid)
            .map(|extension| extension.extn_value.as_bytes())
    };
    match &attribute.source {
        Source::Subject(oid) => {
            let parts = tbs.subject().iter().filter(|part| part.oid == oid.0);
            parts.map(|part| part.value.value().to_vec()).collect()
        }
        Source::San(kind) => {
            let names = extension(&const_oid::ObjectIdentifier::new_unwrap("2.5.29.17"));
            let names = names.map(|names| SubjectAltName::from_der(names).unwrap().0);
            let names = names.into_iter().flatten();
            names
                .filter_map(|name| match (kind, name) {
                    (SanKind::Email, GeneralName::Rfc822Name(name))
                    | (SanKind::Dns, GeneralName::DnsName(name)) => Some(name.as_bytes().to_vec()),
                    _ => None,
                })
                .collect()
        }
        Source::Extension(oid) => extension(&oid.0)
            .map(|value| der::asn1::AnyRef::from_der(value).unwrap().value().to_vec())
            .into_iter()
            .collect(),
    }
}

pub(super) fn certificates() -> Vec<(&'static str, Vec<u8>)> {
    macro_rules! vectors {
        ($($name:literal)+) => {
            [$(($name, &include_bytes!(concat!("../../../../../vectors/tbs/", $name, ".der"))[..])),+]
        };
    }
    let all = vectors!(
        "serial_20_octets" "serial_1_octet" "generalized_time" "long_subject" "attributes" "multi_valued" "smart_card"
    );
    all.into_iter()
        .map(|(name, certificate)| (name, samples::tbs(certificate).to_vec()))
        .collect()
}

const EMAIL_ADDRESS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01];

#[test]
fn certificates_of_openssl_are_read_as_x509_cert_does() {
    let wanted = [
        subject(5, Text, O),
        subject(6, Text, OU),
        subject(7, Text, CN),
        subject(8, Text, EMAIL_ADDRESS),
        subject(8, Integer, LEVEL),
        from_name(9, SanKind::Email),
        from_name(10, SanKind::Dns),
        from_extension(11, Integer, LEVEL),
        from_extension(11, Text, &[&LEVEL[..8], &[10]].concat()),
    ];
    let mut read = [0; 9];
    for (name, tbs) in certificates() {
        let theirs = TbsCertificate::from_der(&tbs).unwrap();
        assert_eq!(theirs.to_der().unwrap(), tbs);
        for (place, attribute) in wanted.iter().enumerate() {
            let values = expected(&theirs, attribute);
            for occurrence in [None, Some(0), Some(1)] {
                let is_extension = matches!(attribute.source, Source::Extension(_));
                if is_extension && occurrence.is_some() {
                    continue;
                }
                let attribute = Attribute {
                    occurrence,
                    ..attribute.clone()
                };
                let slot = usize::from(attribute.slot) - 5;
                // This one is critical: it must be read.
                let schema = [attribute, from_extension(15, Integer, LEVEL)];
                let found = match (place + usize::from(occurrence.unwrap_or(2))) % 3 {
                    0 => both(name, &tbs, &schema),
                    _ => twin(&tbs, &schema, &Bounds::STANDARD).map(|reading| reading.values),
                };
                let found = found.map(|values| values[slot].clone());
                let value = match occurrence {
                    None if values.len() > 1 => {
                        assert!(
                            matches!(found, Err(AttributesError::Twice { .. })),
                            "{name}"
                        );
                        continue;
                    }
                    occurrence => values.get(usize::from(occurrence.unwrap_or(0))),
                };
                match (found.unwrap(), value) {
                    (Value::Absent, None) => {}
                    (Value::Text(text), Some(value)) => {
                        assert_eq!(text, *value, "{name}");
                        let value = AttributeValue::Text(String::from_utf8(text.clone()).unwrap());
                        assert_eq!(Value::Text(text).to_field(), value.to_field());
                        read[place] += 1;
                    }
                    (Value::Integer(number), Some(value)) => {
                        let decimal = std::str::from_utf8(value)
                            .ok()
                            .and_then(|text| text.parse().ok());
                        let binary = value
                            .iter()
                            .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
                        assert_eq!(number, decimal.unwrap_or(binary), "{name}");
                        read[place] += 1;
                    }
                    other => panic!("{name}: {other:?}"),
                }
            }
        }
    }
    assert!(read.iter().all(|count| *count > 0), "{read:?}");
}

/// Octets changed at random places, lengths among them: the circuit says what the twin says, and where x509-cert reads, both
/// read the same.
#[test]
fn a_changed_certificate_is_read_as_the_twin_does_or_refused() {
    let mut tried = [0; 3];
    for (name, honest) in certificates()
        .into_iter()
        .filter(|(name, _)| *name == "multi_valued" || *name == "attributes")
    {
        let fields = walked::fields(&honest, &SHA256_WITH_RSA).unwrap();
        let places =
            (fields.subject.0..fields.subject.1).chain(fields.extensions.0..fields.extensions.1);
        let schema = [
            subject(5, Text, O),
            nth(subject(6, Text, OU), 1),
            from_name(7, SanKind::Email),
            from_extension(8, Integer, LEVEL),
        ];
        for place in places {
            for change in [1u8, 0x80, 0xff] {
                let mut tbs = honest.clone();
                tbs[place] ^= change;
                let Ok(_) = walked::fields(&tbs, &SHA256_WITH_RSA) else {
                    continue;
                };
                let found = match (place * 7 + usize::from(change)) % 41 {
                    0 => both(name, &tbs, &schema),
                    _ => twin(&tbs, &schema, &Bounds::STANDARD).map(|reading| reading.values),
                };
                tried[0] += 1;
                let theirs = TbsCertificate::from_der(&tbs).ok();
                match (found, theirs) {
                    (Ok(values), Some(theirs))
                        if theirs.to_der().is_ok_and(|octets| octets == tbs) =>
                    {
                        let all = schema.iter().zip(&values);
                        for (attribute, value) in all {
                            if let (Value::Text(text), Source::Subject(_)) =
                                (value, &attribute.source)
                            {
                                let theirs = expected(&theirs, attribute);
                                let place = usize::from(attribute.occurrence.unwrap_or(0));
                                assert_eq!(theirs.get(place), Some(text), "{name}, {place}");
                            }
                        }
                        tried[1] += 1;
                    }
                    (Err(_), Some(_)) => tried[2] += 1,
                    _ => {}
                }
            }
        }
    }
    assert!(
        tried[0] > 300 && tried[1] > 100 && tried[2] > 10,
        "{tried:?}"
    );
}

/// ecdsa-with-SHA256, by which rcgen signs.
const ECDSA: [u8; 12] = [
    0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02,
];

/// Its subject and extensions, in a certificate of this relation's signature algorithm.
#[test]
fn a_certificate_of_rcgen_is_read_as_x509_cert_does() {
    use rcgen::{
        CertificateParams, CustomExtension, DistinguishedName, DnType, DnValue,
        ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType,
    };
    let mut params = CertificateParams::default();
    let mut name = DistinguishedName::new();
    name.push(DnType::CountryName, "CH");
    name.push(DnType::OrganizationName, "Ümlaut & Söhne");
    let research = DnValue::PrintableString("Research".try_into().unwrap());
    name.push(DnType::OrganizationalUnitName, research);
    name.push(
        DnType::CommonName,
        DnValue::Ia5String("Ada".try_into().unwrap()),
    );
    params.distinguished_name = name;
    params.subject_alt_names = vec![
        SanType::DnsName("a.example".try_into().unwrap()),
        SanType::Rfc822Name("ada@example.org".try_into().unwrap()),
        SanType::URI("https://example.org/ada".try_into().unwrap()),
    ];
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let arcs = [1, 3, 6, 1, 4, 1, 32473, 9];
    let level = CustomExtension::from_oid_content(&arcs, vec![2, 2, 1, 2]);
    params.custom_extensions = vec![level];
    let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
    let original = samples::tbs(certificate.der());
    let fields = walked::fields(original, &ECDSA).unwrap();
    let [subject_part, extensions] =
        [fields.subject, fields.extensions].map(|(a, b)| &original[a..b]);
    let tbs = tbs(subject_part, extensions);

    let theirs = TbsCertificate::from_der(original).unwrap();
    let schema = [
        subject(5, Text, O),
        subject(6, Text, OU),
        subject(7, Text, CN),
        from_name(8, SanKind::Email),
        from_name(9, SanKind::Dns),
        from_extension(10, Integer, LEVEL),
    ];
    let found = both("rcgen", &tbs, &schema).unwrap();
    for (attribute, value) in schema[..5].iter().zip(&found) {
        let theirs = expected(&theirs, attribute);
        assert_eq!([value], [&Value::Text(theirs[0].clone())]);
        assert_eq!(theirs.len(), 1);
    }
    assert_eq!(found[5], Value::Integer(258));
}
