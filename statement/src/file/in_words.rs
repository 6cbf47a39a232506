//! Key operations in words: what a signer's holder reads before agreeing.
use super::KeyOperation;
use super::hierarchy::Purpose;
use super::key_operation::CaSubject;
use super::text::format_time;

impl CaSubject {
    /// As people write a distinguished name: `CN=…, O=…, C=…`.
    pub fn in_words(&self) -> String {
        let mut words = format!("CN={}", self.common_name);
        for (label, value) in [("O", &self.organization), ("C", &self.country)] {
            if let Some(value) = value {
                words.push_str(&format!(", {label}={value}"));
            }
        }
        words
    }
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

fn validity(not_before: u64, not_after: u64) -> String {
    let time = |seconds| format_time(seconds).unwrap_or_else(|_| seconds.to_string());
    format!("valid from {} to {}", time(not_before), time(not_after))
}

impl KeyOperation {
    /// What signers are to do, all that matters of it: CA, key, subject, validity. `None` if they are to do nothing, as for
    /// a certificate that is only installed.
    pub fn in_words(&self, trust_domain: &str) -> Option<String> {
        Some(match self {
            Self::GenerateKey(one) => {
                let purpose = match one.purpose {
                    Purpose::Issuing => "an issuing key",
                    Purpose::Root => "a root key",
                };
                let names: Vec<&str> = one
                    .participants
                    .iter()
                    .map(|participant| participant.signer.as_str())
                    .collect();
                format!(
                    "make {purpose}, {:?}, for the CA of {trust_domain}: {} of {} sign with it; held by {}",
                    one.key,
                    one.t,
                    one.n,
                    names.join(", ")
                )
            }
            Self::SignCaCertificate(one) => format!(
                "sign the CA's own certificate with key {:?} ({}): subject {}, {}, up to {} CAs below it, for {trust_domain}",
                one.key,
                hex(&one.group_key),
                one.subject.in_words(),
                validity(one.not_before, one.not_after),
                one.path_length
            ),
            Self::ReshareKey(one) => {
                let names: Vec<&str> = one
                    .participants
                    .iter()
                    .map(|participant| participant.signer.as_str())
                    .collect();
                format!(
                    "give key {:?} ({}) of {trust_domain} new shares, made of those of {}: {} of {} sign with it; held by {}",
                    one.key,
                    hex(&one.group_key),
                    one.dealers.join(", "),
                    one.t,
                    one.n,
                    names.join(", ")
                )
            }
            Self::RepairShare(one) => format!(
                "make the share of {} of key {:?} ({}) of {trust_domain} again, by the help of {}",
                one.signer,
                one.key,
                hex(&one.group_key),
                one.helpers.join(", ")
            ),
            Self::RequestCaCertificate(one) => format!(
                "sign a request for a certificate by another CA with key {:?} ({}): subject {}, for {trust_domain}",
                one.key,
                hex(&one.group_key),
                one.subject.in_words()
            ),
            Self::SignSubordinateCa(one) => format!(
                "certify another CA with key {:?} ({}), as {}: subject {}, its key {}, {}, up to {} CAs below it, for {}",
                one.key,
                hex(&one.group_key),
                one.issuer.in_words(),
                one.subject.in_words(),
                hex(&one.subject_key),
                validity(one.not_before, one.not_after),
                one.path_length,
                one.trust_domain
            ),
            Self::InstallCaCertificate(_) => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::key_operation::SignCaCertificate;

    #[test]
    fn a_holder_reads_name_key_and_validity() {
        let operation = KeyOperation::SignCaCertificate(SignCaCertificate {
            key: "root-1".into(),
            group_key: [7; 32],
            subject: CaSubject {
                country: Some("FR".into()),
                organization: Some("Example".into()),
                common_name: "Example root".into(),
            },
            not_before: 0,
            not_after: 86_399,
            path_length: 1,
        });
        let words = operation.in_words("example.org").unwrap();
        for part in [
            "\"root-1\"",
            &"07".repeat(32),
            "CN=Example root, O=Example, C=FR",
            "from 1970-01-01T00:00:00Z to 1970-01-01T23:59:59Z",
            "up to 1 CAs",
            "example.org",
        ] {
            assert!(words.contains(part), "{part} is not in {words}");
        }
    }
}
