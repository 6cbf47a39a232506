//! The two demonstrations: holders enrol at a desk, or prove with the X.509 certificates that they have. What differs between them is
//! named here; the story is the same. A folder has one of them, for good.

use anyhow::{Context, bail};
use bauta_statement::relation::Relation;
use serde::{Deserialize, Serialize};

use super::{
    layout::Layout,
    organisation::{AT_A_DESK, IN_THE_FIELD, Organisation},
};
use crate::{cli::Quickstart, files};

/// What holders prove with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "credentials", rename_all = "kebab-case")]
pub(super) enum Demonstration {
    /// Native credentials, which the organisation's desk gives them for their certificates.
    Native,
    /// Their certificates as they are, of a CA that knows nothing of Bauta.
    X509,
}

impl Demonstration {
    /// What the command line says.
    pub(super) fn chosen(arguments: &Quickstart) -> Self {
        if arguments.x509 {
            Self::X509
        } else {
            Self::Native
        }
    }

    /// What a folder was begun with stays: the other is refused, since what was signed for one would be told of the other.
    pub(super) fn keep(self, layout: &Layout) -> anyhow::Result<()> {
        let path = layout.demonstration();
        if !layout.authority().exists() {
            return files::write(&path, &serde_json::to_vec_pretty(&self)?);
        }
        let begun = if path.exists() {
            serde_json::from_slice(&files::read(&path, 1024)?)
                .with_context(|| format!("{} is not what was written there", path.display()))?
        } else {
            // Begun by a program that had no other.
            Self::Native
        };
        match (begun, self) {
            (Self::Native, Self::X509) => bail!(
                "{} was begun without --x509, and its holders enrol: leave --x509 out, or take another folder with --data",
                layout.root().display()
            ),
            (Self::X509, Self::Native) => bail!(
                "{} was begun with --x509, and has no enrolment desk: say --x509 again, or take another folder with --data",
                layout.root().display()
            ),
            _ => Ok(()),
        }
    }

    /// Its organisation.
    pub(super) fn organisation(self) -> &'static Organisation {
        match self {
            Self::Native => &AT_A_DESK,
            Self::X509 => &IN_THE_FIELD,
        }
    }

    /// The relations whose parameters it takes.
    pub(super) fn relations(self) -> &'static [Relation] {
        match self {
            Self::Native => &Relation::BASIC,
            Self::X509 => &[
                Relation::PossessionNative,
                Relation::Policy,
                Relation::Nullifier,
                Relation::PossessionX509Rsa,
            ],
        }
    }

    /// The policy's name.
    pub(super) fn policy(self) -> &'static str {
        match self {
            Self::Native => "research-or-senior",
            Self::X509 => "researcher",
        }
    }

    /// The policy as administrators write it.
    pub(super) fn policy_body(self) -> &'static [u8] {
        match self {
            Self::Native => include_bytes!("../../../docs/examples/policy.json"),
            Self::X509 => include_bytes!("../../../docs/examples/policy-x509.json"),
        }
    }
}

#[cfg(test)]
mod tests {
    use bauta_statement::{
        policy::{Policy, PolicyBody, PolicyWarning},
        schema::Schema,
        vector::Format,
    };

    use super::*;

    const BOTH: [Demonstration; 2] = [Demonstration::Native, Demonstration::X509];

    #[test]
    fn a_folder_has_one_demonstration() {
        for begun in BOTH {
            let folder = tempfile::tempdir().unwrap();
            let layout = Layout::open(folder.path()).unwrap();
            // A start that was cut short before anything was signed binds nobody.
            for demonstration in [Demonstration::Native, Demonstration::X509, begun] {
                demonstration.keep(&layout).unwrap();
            }
            files::write(&layout.authority(), b"signed").unwrap();
            for demonstration in BOTH {
                let kept = demonstration.keep(&layout);
                assert_eq!(kept.is_ok(), demonstration == begun);
                if let Err(error) = kept {
                    assert!(error.to_string().contains("--x509"), "{error}");
                }
            }
        }
        let older = tempfile::tempdir().unwrap();
        let layout = Layout::open(older.path()).unwrap();
        files::write(&layout.authority(), b"signed").unwrap();
        assert!(Demonstration::Native.keep(&layout).is_ok());
        assert!(Demonstration::X509.keep(&layout).is_err());
    }

    #[test]
    fn policies_are_sound_and_named_as_they_are() {
        let schema: Schema =
            serde_json::from_str(include_str!("../../../docs/examples/schema.json")).unwrap();
        for demonstration in BOTH {
            let body: PolicyBody = serde_json::from_slice(demonstration.policy_body()).unwrap();
            let findings = body.check();
            assert!(findings.errors.is_empty(), "{:?}", findings.errors);
            // Warned of is what is meant here: it has no scope, and the certificate shows something.
            let meant = |warning: &PolicyWarning| {
                matches!(
                    warning,
                    PolicyWarning::Unbounded | PolicyWarning::Discloses(_)
                )
            };
            assert!(
                findings.warnings.iter().all(meant),
                "{:?}",
                findings.warnings
            );
            assert_eq!(body.name, demonstration.policy());
            assert_eq!(body.unbounded, demonstration == Demonstration::X509);
            let policy = Policy::try_from(body).unwrap();
            policy.check_schema(&schema).unwrap();
            let accepted = policy.check_formats([Format::X509Rsa]).is_ok();
            assert_eq!(accepted, demonstration == Demonstration::X509);
        }
    }
}
