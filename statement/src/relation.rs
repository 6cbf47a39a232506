//! The relations, and the one order of each one's public inputs. Circuits and verifiers both read it here.
//!
//! Hidden inputs stand first. A verifier never sees them: their part of the Groth16 equation is replaced by a
//! commitment, and one Schnorr proof ties each to its slot of the attribute vector.

use ark_ff::{AdditiveGroup, Field};
use thiserror::Error;

use crate::{
    field::{Fr, from_tag},
    poseidon,
    vector::{Format, HANDLE, NOT_AFTER, NOT_BEFORE, ORIGIN, SLOTS, absent},
};

/// Predicates in a policy.
pub const PREDICATES: usize = 4;
/// How many of them, the first ones, may be membership of a value set.
pub const MEMBER_PREDICATES: usize = 2;
/// Hidden inputs of the policy relation that are always the same slots; the operands follow.
pub const POLICY_FIXED_SLOTS: [usize; 4] = [ORIGIN, NOT_BEFORE, NOT_AFTER, HANDLE];

/// A relation that proofs are made of. Later formats of credentials add more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Relation {
    /// "A Bauta issuer signed a credential whose vector is x." Hidden: the sixteen slots.
    PossessionNative = 1,
    /// "These values satisfy the policy in this epoch." Hidden: slots 0, 2, 3, 4 and four operands.
    Policy = 2,
    /// "This nullifier is of my holder secret, for this scope, with a counter below the bound." Hidden: slot 1.
    Nullifier = 3,
    /// "An RSA-2048 key signed a client's certificate whose vector is x, and I have its key." Hidden: the sixteen slots.
    PossessionX509Rsa = 4,
    /// The same of a longer certificate.
    PossessionX509RsaLong = 5,
}

impl Relation {
    /// All relations, by code.
    pub const ALL: [Self; 5] = [
        Self::PossessionNative,
        Self::Policy,
        Self::Nullifier,
        Self::PossessionX509Rsa,
        Self::PossessionX509RsaLong,
    ];

    /// Those that every parameter set has. The others have proving keys of hundreds of megabytes, and whoever accepts no such credentials
    /// does without.
    pub const BASIC: [Self; 3] = [Self::PossessionNative, Self::Policy, Self::Nullifier];

    /// The possession relation of a credential format, if there is one yet.
    pub fn possession(format: Format) -> Option<Self> {
        match format {
            Format::Native => Some(Self::PossessionNative),
            Format::X509Rsa => Some(Self::PossessionX509Rsa),
            Format::X509RsaLong => Some(Self::PossessionX509RsaLong),
            Format::X509P256 => None,
        }
    }

    /// The format whose possession it proves; none for the others.
    pub fn format(self) -> Option<Format> {
        match self {
            Self::PossessionNative => Some(Format::Native),
            Self::PossessionX509Rsa => Some(Format::X509Rsa),
            Self::PossessionX509RsaLong => Some(Format::X509RsaLong),
            Self::Policy | Self::Nullifier => None,
        }
    }

    /// The byte that stands for it in encodings.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The relation of a byte.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|relation| relation.code() == code)
    }

    /// Its name in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::PossessionNative => "possession-native",
            Self::Policy => "policy",
            Self::Nullifier => "nullifier",
            Self::PossessionX509Rsa => "possession-x509-rsa",
            Self::PossessionX509RsaLong => "possession-x509-rsa-long",
        }
    }

    /// The relation of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|relation| relation.name() == name)
    }

    /// Number of hidden inputs: the first of the public inputs in the sense of Groth16.
    pub fn hidden_inputs(self) -> usize {
        match self {
            Self::PossessionNative | Self::PossessionX509Rsa | Self::PossessionX509RsaLong => SLOTS,
            Self::Policy => POLICY_FIXED_SLOTS.len() + PREDICATES,
            Self::Nullifier => 1,
        }
    }

    /// Number of inputs that the verifier sees, after the hidden ones.
    pub fn public_inputs(self) -> usize {
        match self {
            Self::PossessionNative | Self::PossessionX509Rsa | Self::PossessionX509RsaLong => 0,
            Self::Policy => 7 + 5 * PREDICATES + MEMBER_PREDICATES,
            Self::Nullifier => 3,
        }
    }

    /// Number of L-points in its verifying key: the constant one, hidden and public inputs.
    pub fn key_points(self) -> usize {
        1 + self.hidden_inputs() + self.public_inputs()
    }
}

/// SHA-256 digests of the verifying keys of the development parameters, whose toxic waste everyone can compute.
/// In production mode every part refuses them.
pub const DEVELOPMENT_VERIFYING_KEYS: [(Relation, [u8; 32]); 5] = [
    (
        Relation::PossessionNative,
        [
            0x1c, 0x95, 0x85, 0xaa, 0xc2, 0x2a, 0x5a, 0xa4, 0xe4, 0x9c, 0x43, 0x1e, 0x68, 0x03,
            0xdd, 0xd7, 0x09, 0xfb, 0x72, 0x01, 0xef, 0xa2, 0xf4, 0x85, 0x6e, 0xfe, 0xc4, 0x4a,
            0xf4, 0x1a, 0x72, 0xff,
        ],
    ),
    (
        Relation::Policy,
        [
            0xfa, 0x47, 0x25, 0xe4, 0x4c, 0x2a, 0xc7, 0xd0, 0x86, 0xb7, 0xa3, 0x81, 0x1f, 0x61,
            0x5d, 0xe0, 0xcb, 0x47, 0x66, 0xf0, 0x6c, 0xb9, 0xb3, 0x85, 0x4f, 0x56, 0x0f, 0x85,
            0xf7, 0x46, 0x8c, 0xf7,
        ],
    ),
    (
        Relation::Nullifier,
        [
            0xf9, 0x67, 0x37, 0x2a, 0x5f, 0x03, 0xf9, 0x42, 0x35, 0x3a, 0x41, 0xbf, 0x65, 0xf5,
            0xdf, 0xcb, 0x5a, 0xe6, 0xbe, 0x79, 0x08, 0x7b, 0x2c, 0xc6, 0xc4, 0xc6, 0xb7, 0x24,
            0xd9, 0xc3, 0x30, 0x39,
        ],
    ),
    (
        Relation::PossessionX509Rsa,
        [
            0x76, 0x0f, 0xfb, 0xf6, 0x54, 0x6d, 0xca, 0x70, 0xa9, 0x61, 0x38, 0x18, 0x1d, 0x18,
            0x7f, 0x51, 0x44, 0xbb, 0x73, 0xd5, 0xfe, 0xcf, 0xaf, 0xdd, 0xf7, 0xd6, 0x58, 0xf3,
            0x07, 0x88, 0xdc, 0xee,
        ],
    ),
    (
        Relation::PossessionX509RsaLong,
        [
            0x98, 0x46, 0x16, 0x5e, 0x84, 0x16, 0x2c, 0xd7, 0xf3, 0x95, 0x2f, 0xa6, 0x71, 0xa4,
            0xe3, 0x6d, 0xf5, 0xb8, 0xdc, 0xcb, 0x23, 0x8a, 0x8b, 0x19, 0xad, 0x92, 0xf4, 0x47,
            0xf2, 0x20, 0xe0, 0xcc,
        ],
    ),
];

/// What one predicate asks of its operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PredicateTest {
    /// Nothing: the position is not used.
    None,
    /// Equal to this value.
    Equal(Fr),
    /// Present, and not this value.
    NotEqual(Fr),
    /// An integer in low..=high.
    Range {
        /// The least that satisfies.
        low: u64,
        /// The greatest that satisfies.
        high: u64,
    },
    /// A member of the value set with this root (depth [`crate::tree::VALUE_SET_DEPTH`]).
    Member {
        /// The set's root.
        root: Fr,
    },
}

/// Whether a predicate must hold by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It must.
    Required,
    /// It belongs to the group of which at least one must; which one stays hidden.
    AnyOf,
}

/// A predicate as both circuit and verifier read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PredicatePublic {
    /// What it asks.
    pub test: PredicateTest,
    /// Whether it must hold by itself. [`PredicateTest::None`] is always [`Mode::Required`].
    pub mode: Mode,
}

impl Default for PredicatePublic {
    fn default() -> Self {
        Self::NONE
    }
}

impl PredicatePublic {
    /// A position that is not used.
    pub const NONE: Self = Self {
        test: PredicateTest::None,
        mode: Mode::Required,
    };

    /// The numbers that the circuit reads of it.
    pub fn selectors(&self) -> Selectors {
        let mut selectors = Selectors {
            low: Fr::ZERO,
            span: Fr::ZERO,
            range: Fr::ZERO,
            not_equal: Fr::ZERO,
            member: Fr::ZERO,
            any_of: match self.mode {
                Mode::Required => Fr::ZERO,
                Mode::AnyOf => Fr::ONE,
            },
            root: Fr::ZERO,
        };
        match self.test {
            PredicateTest::None => {}
            PredicateTest::Equal(value) => {
                selectors.range = Fr::ONE;
                selectors.low = value;
            }
            PredicateTest::NotEqual(value) => {
                selectors.not_equal = Fr::ONE;
                selectors.low = value;
            }
            PredicateTest::Range { low, high } => {
                selectors.range = Fr::ONE;
                selectors.low = Fr::from(low);
                selectors.span = Fr::from(high) - Fr::from(low);
            }
            PredicateTest::Member { root } => {
                selectors.member = Fr::ONE;
                selectors.root = root;
            }
        }
        selectors
    }
}

/// A predicate in numbers. At most one of `range`, `not_equal` and `member` is 1; the others are 0. Equality is the
/// range from the value to itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Selectors {
    /// Lower bound of the range, or the value that is asked for or excluded.
    pub low: Fr,
    /// Upper bound less lower bound; 0 unless the test is a range.
    pub span: Fr,
    /// 1 if the operand must lie in low..=low + span.
    pub range: Fr,
    /// 1 if the operand must be present and not `low`.
    pub not_equal: Fr,
    /// 1 if the operand must be in the set with this `root`.
    pub member: Fr,
    /// 1 if the predicate is in the any-of group.
    pub any_of: Fr,
    /// Root of the value set, or 0.
    pub root: Fr,
}

/// The policy relation's public inputs do not make sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PolicyPublicError {
    /// Membership in position 2 or 3.
    #[error(
        "predicate {0} asks membership of a value set; only predicates 0 and 1 may: put those first, two at most"
    )]
    MemberPosition(usize),
    /// A range that nothing satisfies.
    #[error("predicate {0} is a range whose low end is above its high end; swap them")]
    EmptyRange(usize),
    /// *Absent* as the value of = or ≠.
    #[error(
        "predicate {0} compares with the constant `absent`; an absent attribute satisfies no predicate"
    )]
    Absent(usize),
    /// An unused position in the any-of group would satisfy the group.
    #[error(
        "predicate {0} is empty and in the any-of group, which would then always hold; make it required"
    )]
    EmptyAnyOf(usize),
}

/// The policy relation's public inputs, in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PolicyPublic {
    predicates: [PredicatePublic; PREDICATES],
    /// First second of the epoch: a credential must be valid by then.
    pub epoch_start: u64,
    /// Epoch's end plus certificate lifetime: a credential must be valid until then.
    pub valid_until: u64,
    /// Root of the accepted origins (depth [`crate::tree::ISSUER_SET_DEPTH`]).
    pub issuer_root: Fr,
    /// Root of the tree of revoked handles.
    pub revocation_root: Fr,
}

impl PolicyPublic {
    /// Checks that the predicates are such as the relation is sound for.
    ///
    /// # Errors
    /// [`PolicyPublicError`] names the predicate's position.
    pub fn new(
        predicates: [PredicatePublic; PREDICATES],
        epoch_start: u64,
        valid_until: u64,
        issuer_root: Fr,
        revocation_root: Fr,
    ) -> Result<Self, PolicyPublicError> {
        for (position, predicate) in predicates.iter().enumerate() {
            match predicate.test {
                PredicateTest::None if predicate.mode == Mode::AnyOf => {
                    return Err(PolicyPublicError::EmptyAnyOf(position));
                }
                PredicateTest::Member { .. } if position >= MEMBER_PREDICATES => {
                    return Err(PolicyPublicError::MemberPosition(position));
                }
                PredicateTest::Range { low, high } if low > high => {
                    return Err(PolicyPublicError::EmptyRange(position));
                }
                PredicateTest::Equal(value) | PredicateTest::NotEqual(value)
                    if value == absent() =>
                {
                    return Err(PolicyPublicError::Absent(position));
                }
                _ => {}
            }
        }
        Ok(Self {
            predicates,
            epoch_start,
            valid_until,
            issuer_root,
            revocation_root,
        })
    }

    /// No predicate, and zero for everything else: a value of the right form where a shape is wanted, as in set-up.
    pub fn unused() -> Self {
        Self {
            predicates: [PredicatePublic::NONE; PREDICATES],
            epoch_start: 0,
            valid_until: 0,
            issuer_root: Fr::ZERO,
            revocation_root: Fr::ZERO,
        }
    }

    /// The predicates, in the operands' order.
    pub fn predicates(&self) -> &[PredicatePublic; PREDICATES] {
        &self.predicates
    }

    /// 1 if there is an any-of group.
    pub fn any_of_group(&self) -> Fr {
        let grouped = self
            .predicates
            .iter()
            .any(|predicate| predicate.mode == Mode::AnyOf);
        if grouped { Fr::ONE } else { Fr::ZERO }
    }

    /// The public inputs: epoch start, valid until, issuer root, revocation root, the two value roots, the group flag;
    /// then of each predicate low, span, range, ≠, any-of and, of the first two, member.
    pub fn to_inputs(&self) -> Vec<Fr> {
        let selectors = self.predicates.map(|predicate| predicate.selectors());
        let mut inputs = vec![
            Fr::from(self.epoch_start),
            Fr::from(self.valid_until),
            self.issuer_root,
            self.revocation_root,
        ];
        inputs.extend(
            selectors
                .iter()
                .take(MEMBER_PREDICATES)
                .map(|selectors| selectors.root),
        );
        inputs.push(self.any_of_group());
        for (position, s) in selectors.iter().enumerate() {
            inputs.extend([s.low, s.span, s.range, s.not_equal, s.any_of]);
            if position < MEMBER_PREDICATES {
                inputs.push(s.member);
            }
        }
        inputs
    }
}

/// The nullifier relation's public inputs, in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NullifierPublic {
    /// The pseudonym of one use.
    pub nullifier: Fr,
    /// Hash of trust domain, scope name and start of period.
    pub scope: Fr,
    /// How many uses a holder has in the scope.
    pub bound: u32,
}

impl NullifierPublic {
    /// The public inputs: nullifier, scope, bound.
    pub fn to_inputs(&self) -> Vec<Fr> {
        vec![self.nullifier, self.scope, Fr::from(self.bound)]
    }
}

/// The constant that keeps nullifiers apart from all other hashes of four inputs.
pub fn nullifier_domain() -> Fr {
    from_tag("bauta/v1/nullifier")
}

/// Poseidon(domain, holder secret, scope, counter).
pub fn nullifier(secret: Fr, scope: Fr, counter: u32) -> Fr {
    poseidon::hash(&[nullifier_domain(), secret, scope, Fr::from(counter)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(predicates: [PredicatePublic; 4]) -> Result<PolicyPublic, PolicyPublicError> {
        PolicyPublic::new(predicates, 1, 2, Fr::from(3), Fr::from(4))
    }

    fn at(position: usize, test: PredicateTest, mode: Mode) -> [PredicatePublic; 4] {
        let mut predicates = [PredicatePublic::NONE; 4];
        predicates[position] = PredicatePublic { test, mode };
        predicates
    }

    #[test]
    fn input_counts_are_as_declared() {
        let public = with([PredicatePublic::NONE; 4]).unwrap();
        assert_eq!(public.to_inputs().len(), Relation::Policy.public_inputs());
        let public = NullifierPublic {
            nullifier: Fr::from(1),
            scope: Fr::from(2),
            bound: 3,
        };
        assert_eq!(
            public.to_inputs().len(),
            Relation::Nullifier.public_inputs()
        );
        for relation in Relation::ALL {
            assert_eq!(Relation::from_code(relation.code()), Some(relation));
            assert_eq!(Relation::from_name(relation.name()), Some(relation));
        }
        assert_eq!(Relation::from_code(0), None);
        // A relation's format is the one whose relation it is.
        for format in (0..=255).filter_map(Format::from_code) {
            if let Some(relation) = Relation::possession(format) {
                assert_eq!(relation.format(), Some(format));
            }
        }
    }

    #[test]
    fn every_field_of_the_policy_reaches_the_inputs() {
        let root = Fr::from(77);
        let base = with(at(
            0,
            PredicateTest::Range { low: 5, high: 9 },
            Mode::Required,
        ))
        .unwrap();
        let variants = [
            PolicyPublic {
                epoch_start: 9,
                ..base
            },
            PolicyPublic {
                valid_until: 9,
                ..base
            },
            PolicyPublic {
                issuer_root: root,
                ..base
            },
            PolicyPublic {
                revocation_root: root,
                ..base
            },
            with(at(
                0,
                PredicateTest::Range { low: 4, high: 9 },
                Mode::Required,
            ))
            .unwrap(),
            with(at(
                0,
                PredicateTest::Range { low: 5, high: 8 },
                Mode::Required,
            ))
            .unwrap(),
            with(at(0, PredicateTest::Range { low: 5, high: 9 }, Mode::AnyOf)).unwrap(),
            with(at(
                1,
                PredicateTest::Range { low: 5, high: 9 },
                Mode::Required,
            ))
            .unwrap(),
            with(at(0, PredicateTest::Equal(Fr::from(5)), Mode::Required)).unwrap(),
            with(at(0, PredicateTest::NotEqual(Fr::from(5)), Mode::Required)).unwrap(),
            with(at(0, PredicateTest::Member { root }, Mode::Required)).unwrap(),
            with(at(1, PredicateTest::Member { root }, Mode::Required)).unwrap(),
        ];
        for (i, a) in variants.iter().enumerate() {
            assert_ne!(a.to_inputs(), base.to_inputs());
            assert!(
                variants[i + 1..]
                    .iter()
                    .all(|b| a.to_inputs() != b.to_inputs())
            );
        }
    }

    #[test]
    fn refuses_predicates_that_the_relation_is_not_sound_for() {
        let root = Fr::from(1);
        for position in 2..4 {
            assert_eq!(
                with(at(position, PredicateTest::Member { root }, Mode::Required)),
                Err(PolicyPublicError::MemberPosition(position))
            );
        }
        for position in 0..4 {
            for (test, mode, error) in [
                (
                    PredicateTest::Range { low: 2, high: 1 },
                    Mode::Required,
                    PolicyPublicError::EmptyRange(position),
                ),
                (
                    PredicateTest::Equal(absent()),
                    Mode::Required,
                    PolicyPublicError::Absent(position),
                ),
                (
                    PredicateTest::NotEqual(absent()),
                    Mode::Required,
                    PolicyPublicError::Absent(position),
                ),
                (
                    PredicateTest::None,
                    Mode::AnyOf,
                    PolicyPublicError::EmptyAnyOf(position),
                ),
            ] {
                assert_eq!(with(at(position, test, mode)), Err(error));
            }
        }
    }
}
