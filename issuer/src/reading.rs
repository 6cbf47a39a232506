//! Reads a certificate by a schema: each attribute from the one place that the schema names, exactly once, as the type that
//! it says, or a refusal that says which and why.

use bauta_statement::schema::{
    Attribute, AttributeType, LONGEST_TEXT, Oid, SanKind, Schema, Source, decimal,
};
use bauta_statement::vector::AttributeValue;
use const_oid::ObjectIdentifier;
use der::asn1::{AnyRef, BmpString, UintRef};
use der::{Decode, Tag, Tagged};
use x509_cert::Certificate;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{ExtendedKeyUsage, SubjectAltName};

/// What a certificate says, by a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The value of the schema's subject key, by which the desk knows the person.
    pub subject: String,
    /// The values of the schema's attributes by slot, in the schema's order.
    pub values: Vec<(u8, AttributeValue)>,
}

/// Why a certificate cannot be read by the schema.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum ReadingError {
    /// A required attribute is not there.
    #[error(
        "the certificate has no {attribute} ({place}), which the schema requires: use a certificate that has it"
    )]
    Missing {
        /// The attribute's name.
        attribute: String,
        /// Where it should be.
        place: String,
    },
    /// The place is there more than once, and the schema names none of them.
    #[error(
        "the certificate has {count} values for {attribute} ({place}), and the schema does not say which counts: use a certificate \
         with one, or have the schema name an `occurrence`"
    )]
    Duplicate {
        /// The attribute's name.
        attribute: String,
        /// Where it is found.
        place: String,
        /// How often.
        count: usize,
    },
    /// Not a decimal number in range.
    #[error(
        "{attribute} ({place}) is {value:?}, not an integer from 0 to 18446744073709551615 written in plain decimal digits"
    )]
    Integer {
        /// The attribute's name.
        attribute: String,
        /// Where it is found.
        place: String,
        /// What it says.
        value: String,
    },
    /// A string type whose meaning depends on the reader, or none.
    #[error(
        "{attribute} ({place}) is written as {tag}, which is not read: have it issued as a UTF8String"
    )]
    Encoding {
        /// The attribute's name.
        attribute: String,
        /// Where it is found.
        place: String,
        /// The ASN.1 type.
        tag: String,
    },
    /// Bytes that the string type does not allow.
    #[error(
        "{attribute} ({place}) does not decode as the {tag} that it says it is: have the certificate issued again"
    )]
    Malformed {
        /// The attribute's name.
        attribute: String,
        /// Where it is found.
        place: String,
        /// The ASN.1 type.
        tag: String,
    },
    /// NUL or another control character, which readers cut or show differently.
    #[error(
        "{attribute} ({place}) holds a control character such as NUL: have the certificate issued without it"
    )]
    ControlCharacter {
        /// The attribute's name.
        attribute: String,
        /// Where it is found.
        place: String,
    },
    /// Empty, or longer than any attribute may be.
    #[error(
        "{attribute} ({place}) is {length} bytes long: an attribute has 1 to {LONGEST_TEXT} bytes"
    )]
    Length {
        /// The attribute's name.
        attribute: String,
        /// Where it is found.
        place: String,
        /// Its length in UTF-8.
        length: usize,
    },
    /// The subject alternative name does not parse.
    #[error(
        "the certificate's subject alternative name does not parse ({0}): have the certificate issued again"
    )]
    AlternativeName(String),
    /// The schema names a purpose, and the certificate is not for it.
    #[error(
        "the certificate is not for the purpose {0} (extKeyUsage), which the schema names: use one that was issued for it"
    )]
    Purpose(String),
    /// The same extension twice.
    #[error(
        "the certificate has extension {0} more than once, which RFC 5280 forbids: have the certificate issued again"
    )]
    DuplicateExtension(String),
}

/// Reads `certificate` by `schema`. That it is a client's was shown by the handshake; if the schema names a purpose, it must have that one.
pub fn read(certificate: &Certificate, schema: &Schema) -> Result<Reading, ReadingError> {
    if let Some(Oid(purpose)) = schema.extended_key_usage {
        let purposes = extension(certificate, EXTENDED_KEY_USAGE)?;
        let purposes = purposes.and_then(|value| ExtendedKeyUsage::from_der(value).ok());
        if !purposes.is_some_and(|purposes| purposes.0.contains(&purpose)) {
            return Err(ReadingError::Purpose(purpose.to_string()));
        }
    }
    let mut subject = None;
    let mut values = Vec::with_capacity(schema.attributes.len());
    for attribute in &schema.attributes {
        let found = select(attribute, occurrences(certificate, attribute)?)?;
        let value = match (&found, attribute.kind) {
            (None, _) if attribute.required => {
                return Err(ReadingError::Missing {
                    attribute: attribute.name.clone(),
                    place: place(&attribute.source),
                });
            }
            (None, _) => AttributeValue::Absent,
            (Some(text), AttributeType::Text) => AttributeValue::Text(text.clone()),
            (Some(text), AttributeType::Integer) => {
                AttributeValue::Integer(integer(attribute, text)?)
            }
        };
        if attribute.name == schema.subject_key {
            subject = found;
        }
        values.push((attribute.slot, value));
    }
    // A checked schema has its subject key among its required attributes.
    let subject = subject.ok_or_else(|| ReadingError::Missing {
        attribute: schema.subject_key.clone(),
        place: "subject key".into(),
    })?;
    Ok(Reading { subject, values })
}

/// The one value that counts. A number of an extension, being of another ASN.1 type, is already decimal here.
fn select(attribute: &Attribute, mut found: Vec<String>) -> Result<Option<String>, ReadingError> {
    match attribute.occurrence {
        Some(index) => {
            let index = usize::from(index);
            Ok((index < found.len()).then(|| found.swap_remove(index)))
        }
        None if found.len() > 1 => Err(ReadingError::Duplicate {
            attribute: attribute.name.clone(),
            place: place(&attribute.source),
            count: found.len(),
        }),
        None => Ok(found.pop()),
    }
}

/// All values at the attribute's source, in the certificate's order.
fn occurrences(
    certificate: &Certificate,
    attribute: &Attribute,
) -> Result<Vec<String>, ReadingError> {
    let tbs = certificate.tbs_certificate();
    match &attribute.source {
        Source::Subject(oid) => tbs
            .subject()
            .iter()
            .filter(|part| part.oid == oid.0)
            .map(|part| {
                let tag = part.value.tag();
                text(attribute, tag, part.value.value())
            })
            .collect(),
        Source::San(kind) => {
            let Some(value) = extension(certificate, SAN)? else {
                return Ok(Vec::new());
            };
            let names = SubjectAltName::from_der(value)
                .map_err(|e| ReadingError::AlternativeName(e.to_string()))?;
            names
                .0
                .iter()
                .filter_map(|name| match (kind, name) {
                    (SanKind::Email, GeneralName::Rfc822Name(value))
                    | (SanKind::Dns, GeneralName::DnsName(value)) => Some(value.as_bytes()),
                    _ => None,
                })
                .map(|bytes| text(attribute, Tag::Ia5String, bytes))
                .collect()
        }
        Source::Extension(oid) => {
            let Some(value) = extension(certificate, oid.0)? else {
                return Ok(Vec::new());
            };
            let malformed = |tag: &str| ReadingError::Malformed {
                attribute: attribute.name.clone(),
                place: place(&attribute.source),
                tag: tag.to_owned(),
            };
            let any = AnyRef::from_der(value).map_err(|_| malformed("DER value"))?;
            if any.tag() == Tag::Integer && attribute.kind == AttributeType::Integer {
                let number = UintRef::from_der(value)
                    .ok()
                    .filter(|n| n.as_bytes().len() <= 8)
                    .ok_or_else(|| ReadingError::Integer {
                        attribute: attribute.name.clone(),
                        place: place(&attribute.source),
                        value: data_encoding::HEXLOWER.encode(any.value()),
                    })?;
                let number = number
                    .as_bytes()
                    .iter()
                    .fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
                return Ok(vec![number.to_string()]);
            }
            Ok(vec![text(attribute, any.tag(), any.value())?])
        }
    }
}

const SAN: ObjectIdentifier = const_oid::db::rfc5280::ID_CE_SUBJECT_ALT_NAME;
const EXTENDED_KEY_USAGE: ObjectIdentifier = const_oid::db::rfc5280::ID_CE_EXT_KEY_USAGE;

fn extension(
    certificate: &Certificate,
    oid: ObjectIdentifier,
) -> Result<Option<&[u8]>, ReadingError> {
    let mut found = certificate
        .tbs_certificate()
        .extensions()
        .into_iter()
        .flatten()
        .filter(|extension| extension.extn_id == oid);
    let first = found.next();
    if found.next().is_some() {
        return Err(ReadingError::DuplicateExtension(oid.to_string()));
    }
    Ok(first.map(|extension| extension.extn_value.as_bytes()))
}

/// A string of one of the types that everyone reads alike, as UTF-8.
fn text(attribute: &Attribute, tag: Tag, bytes: &[u8]) -> Result<String, ReadingError> {
    let malformed = || ReadingError::Malformed {
        attribute: attribute.name.clone(),
        place: place(&attribute.source),
        tag: tag.to_string(),
    };
    let value = match tag {
        Tag::Utf8String => std::str::from_utf8(bytes)
            .map_err(|_| malformed())?
            .to_owned(),
        Tag::PrintableString | Tag::Ia5String | Tag::NumericString | Tag::VisibleString => {
            if !bytes.is_ascii() {
                return Err(malformed());
            }
            String::from_utf8_lossy(bytes).into_owned()
        }
        // UTF-16 in all but name; surrogates alone are refused.
        Tag::BmpString => {
            let units: Vec<u16> = BmpString::from_ucs2(bytes)
                .map_err(|_| malformed())?
                .codepoints()
                .collect();
            String::from_utf16(&units).map_err(|_| malformed())?
        }
        other => {
            return Err(ReadingError::Encoding {
                attribute: attribute.name.clone(),
                place: place(&attribute.source),
                tag: other.to_string(),
            });
        }
    };
    if value.chars().any(char::is_control) {
        return Err(ReadingError::ControlCharacter {
            attribute: attribute.name.clone(),
            place: place(&attribute.source),
        });
    }
    if value.is_empty() || value.len() > LONGEST_TEXT {
        return Err(ReadingError::Length {
            attribute: attribute.name.clone(),
            place: place(&attribute.source),
            length: value.len(),
        });
    }
    Ok(value)
}

fn integer(attribute: &Attribute, text: &str) -> Result<u64, ReadingError> {
    decimal(text).ok_or_else(|| ReadingError::Integer {
        attribute: attribute.name.clone(),
        place: place(&attribute.source),
        value: text.to_owned(),
    })
}

/// A source as a person would look for it.
fn place(source: &Source) -> String {
    match source {
        Source::Subject(oid) => format!("subject attribute {oid}"),
        Source::San(SanKind::Email) => "subject alternative name, e-mail".into(),
        Source::San(SanKind::Dns) => "subject alternative name, DNS".into(),
        Source::Extension(oid) => format!("extension {oid}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use der::Encode;
    use rcgen::{CertificateParams, DnType, DnValue, KeyPair, SanType};

    const LEVEL: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.32473.9");

    fn schema() -> Schema {
        Schema::from_json(
            serde_json::json!({
                "name": "employee", "subject_key": "email",
                "attributes": [
                    {"slot": 5, "name": "organisation", "type": "text", "source": {"subject": "2.5.4.10"}, "required": true},
                    {"slot": 6, "name": "department", "type": "text", "source": {"subject": "2.5.4.11"}},
                    {"slot": 7, "name": "level", "type": "integer", "source": {"extension": LEVEL.to_string()}},
                    {"slot": 8, "name": "email", "type": "text", "source": {"san": "email"}, "required": true},
                    {"slot": 9, "name": "title", "type": "integer", "source": {"subject": "2.5.4.12"}},
                ],
            })
            .to_string()
            .as_bytes(),
        )
        .unwrap()
    }

    fn params() -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::OrganizationName, "Acme");
        params
            .distinguished_name
            .push(DnType::OrganizationalUnitName, "Research");
        params.subject_alt_names =
            vec![SanType::Rfc822Name("ada@acme.example".try_into().unwrap())];
        params
    }

    fn certificate(params: CertificateParams) -> Certificate {
        let key = KeyPair::generate().unwrap();
        Certificate::from_der(params.self_signed(&key).unwrap().der()).unwrap()
    }

    fn extension(value: &[u8]) -> rcgen::CustomExtension {
        let oid: Vec<u64> = LEVEL.arcs().map(u64::from).collect();
        rcgen::CustomExtension::from_oid_content(&oid, value.to_vec())
    }

    #[test]
    fn reads_each_source() {
        let mut p = params();
        p.custom_extensions = vec![extension(&9u64.to_der().unwrap())];
        p.distinguished_name
            .push(DnType::CustomDnType(vec![2, 5, 4, 12]), "7");
        let reading = read(&certificate(p), &schema()).unwrap();
        assert_eq!(reading.subject, "ada@acme.example");
        assert_eq!(
            reading.values,
            vec![
                (5, AttributeValue::Text("Acme".into())),
                (6, AttributeValue::Text("Research".into())),
                (7, AttributeValue::Integer(9)),
                (8, AttributeValue::Text("ada@acme.example".into())),
                (9, AttributeValue::Integer(7)),
            ]
        );
        let reading = read(&certificate(params()), &schema()).unwrap();
        assert_eq!(reading.values[2], (7, AttributeValue::Absent));
    }

    #[test]
    fn a_purpose_that_the_schema_names_is_required() {
        let mut schema = schema();
        schema.extended_key_usage = Some(Oid(ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.4")));
        let error = ReadingError::Purpose("1.3.6.1.5.5.7.3.4".into());
        assert_eq!(read(&certificate(params()), &schema), Err(error.clone()));
        let mut p = params();
        p.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
        assert_eq!(read(&certificate(p.clone()), &schema), Err(error));
        p.extended_key_usages
            .push(rcgen::ExtendedKeyUsagePurpose::EmailProtection);
        assert!(read(&certificate(p), &schema).is_ok());
    }

    #[test]
    fn integers_are_strict() {
        for bad in [
            "07",
            "-1",
            "+1",
            "1 ",
            " 1",
            "1.0",
            "0x1",
            "18446744073709551616",
            "१",
        ] {
            let mut p = params();
            p.distinguished_name
                .push(DnType::CustomDnType(vec![2, 5, 4, 12]), bad);
            assert!(
                matches!(
                    read(&certificate(p), &schema()),
                    Err(ReadingError::Integer { .. })
                ),
                "{bad:?}"
            );
        }
        for (der, good) in [
            (&[2, 1, 0][..], true),
            (&[2, 1, 0xff], false), // negative
            (&[2, 9, 0, 255, 255, 255, 255, 255, 255, 255, 255], true),
            (&[2, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0], false), // 2^64
            (&[2, 2, 0, 1], false),                      // not minimal
            (&[2, 1, 1, 0], false),                      // trailing
            (&[12, 1, b'5'], true),                      // a string of digits
            (&[4, 1, b'5'], false),
        ] {
            let mut p = params();
            p.custom_extensions = vec![extension(der)];
            assert_eq!(read(&certificate(p), &schema()).is_ok(), good, "{der:?}");
        }
    }

    #[test]
    fn duplicates_are_refused_unless_the_schema_names_one() {
        let mut twice = params();
        twice
            .subject_alt_names
            .push(SanType::Rfc822Name("eve@acme.example".try_into().unwrap()));
        let twice = certificate(twice);
        assert!(matches!(
            read(&twice, &schema()),
            Err(ReadingError::Duplicate { count: 2, .. })
        ));
        let mut named = schema();
        named.attributes[3].occurrence = Some(1);
        assert_eq!(read(&twice, &named).unwrap().subject, "eve@acme.example");
        named.attributes[3].occurrence = Some(2);
        assert!(matches!(
            read(&twice, &named),
            Err(ReadingError::Missing { .. })
        ));
        let mut p = params();
        p.custom_extensions = vec![extension(&[2, 1, 1]), extension(&[2, 1, 2])];
        let duplicated = p
            .self_signed(&KeyPair::generate().unwrap())
            .map(|c| Certificate::from_der(c.der()));
        // Whether the builder or we refuse it, nobody reads it.
        if let Ok(Ok(certificate)) = duplicated {
            assert!(matches!(
                read(&certificate, &schema()),
                Err(ReadingError::DuplicateExtension(_))
            ));
        }
    }

    #[test]
    fn strings_are_read_alike_or_not_at_all() {
        let department = |value: DnValue| {
            let mut p = params();
            p.distinguished_name
                .push(DnType::OrganizationalUnitName, value);
            read(&certificate(p), &schema()).map(|r| r.values[1].1.clone())
        };
        assert_eq!(
            department(DnValue::BmpString("Zürich".try_into().unwrap())),
            Ok(AttributeValue::Text("Zürich".into()))
        );
        assert_eq!(
            department(DnValue::PrintableString("Zurich".try_into().unwrap())),
            Ok(AttributeValue::Text("Zurich".into()))
        );
        assert!(matches!(
            department(DnValue::TeletexString("Zurich".try_into().unwrap())),
            Err(ReadingError::Encoding { .. })
        ));
        assert!(matches!(
            department(DnValue::Utf8String("Research\0x".into())),
            Err(ReadingError::ControlCharacter { .. })
        ));
        assert!(matches!(
            department(DnValue::Utf8String(String::new())),
            Err(ReadingError::Length { length: 0, .. })
        ));
        assert!(matches!(
            department(DnValue::Utf8String("x".repeat(257))),
            Err(ReadingError::Length { length: 257, .. })
        ));
    }

    #[test]
    fn required_attributes_are_required() {
        let mut p = params();
        p.distinguished_name.remove(DnType::OrganizationName);
        assert!(matches!(
            read(&certificate(p), &schema()),
            Err(ReadingError::Missing { attribute, .. }) if attribute == "organisation"
        ));
    }
}
