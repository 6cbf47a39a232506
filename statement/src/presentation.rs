//! The presentation: what a holder sends and the log keeps. Two or three re-randomized Groth16 proofs with hidden inputs,
//! and one Schnorr proof that ties all hidden inputs, and the commitment of each disclosed attribute, to one vector.
//!
//! The layout is fixed by four header bytes, so the length is exact; `docs/spec/presentation.md` gives it byte by byte.
//! What an attribute *is* travels beside it as [`Opening`]s, which are never logged.

use ark_bn254::{G1Affine, G2Affine};
use ark_ff::Zero;

use crate::field::{self, Fr};
use crate::group::{
    FixedG1, G1_BYTES, G2_BYTES, Pedersen, PointError, g1_from_bytes, g1_to_bytes, g2_from_bytes,
    g2_to_bytes, twist_from_bytes,
};
use crate::vector::{AttributeValue, Format, SLOTS};

/// Version of the encoding, and of the whole protocol: the transcript absorbs it.
pub const VERSION: u8 = 1;
/// The most disclosures that a presentation may carry: one per attribute slot.
pub const MAX_DISCLOSURES: usize = 11;
/// The longest text that an opening may carry, in bytes.
pub const MAX_TEXT: usize = 4096;

/// One relation's proof, re-randomized, its hidden inputs in `v`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HiddenProof {
    /// A' = r₁⁻¹A.
    pub a: G1Affine,
    /// B' = r₁B + r₁r₂δ₂.
    pub b: G2Affine,
    /// C'' = C + r₂A − zG₁.
    pub c: G1Affine,
    /// V = Σ hᵢLᵢ + zδ₁ over the hidden inputs.
    pub v: G1Affine,
    /// First message of the Schnorr proof for V.
    pub t: G1Affine,
    /// Response for z.
    pub z_response: Fr,
}

/// The proof of one use in a scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NullifierProof {
    /// The nullifier.
    pub nullifier: Fr,
    /// The nullifier relation's proof.
    pub proof: HiddenProof,
}

/// The commitment to one disclosed attribute, and its part of the Schnorr proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disclosure {
    /// value·H + blinding·K.
    pub commitment: G1Affine,
    /// First message of the Schnorr proof for the commitment.
    pub first_message: G1Affine,
    /// Response for the blinding.
    pub blinding_response: Fr,
}

/// What a holder sends. Decoding checks every point and scalar; whether it proves anything is for the verifier to say.
/// A presentation is malleable before it is verified in its context: never use its bytes as an identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presentation {
    /// The credential's format, which is public.
    pub format: Format,
    /// The proof of possession.
    pub possession: HiddenProof,
    /// The proof that the policy is satisfied.
    pub policy: HiddenProof,
    /// The proof of one use, if the policy has a scope.
    pub nullifier: Option<NullifierProof>,
    /// One per attribute that the policy asks to disclose, in its order.
    pub disclosures: Vec<Disclosure>,
    /// Responses for the 16 slots of the vector.
    pub responses: [Fr; SLOTS],
}

/// Why bytes are not a presentation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The first byte is not [`VERSION`].
    #[error("presentation version {0} is not known here; update the program that made or reads it")]
    Version(u8),
    /// A header byte has no meaning.
    #[error("the presentation's {0} is not valid; make the presentation again")]
    Header(&'static str),
    /// The header fixes another length.
    #[error(
        "the presentation has {found} bytes where its header says {expected}; send it whole and alone"
    )]
    Length {
        /// The length that the header fixes.
        expected: usize,
        /// The length found.
        found: usize,
    },
    /// A point is refused.
    #[error("{what} of the presentation is refused: {source}")]
    Point {
        /// Which point.
        what: &'static str,
        /// What is wrong with it.
        source: PointError,
    },
    /// A scalar at or above the field's modulus.
    #[error(
        "{0} of the presentation is not a canonical field element; make the presentation again"
    )]
    Scalar(&'static str),
}

/// Bytes of a [`HiddenProof`].
const PROOF_BYTES: usize = 4 * G1_BYTES + G2_BYTES + field::ENCODED_LEN;
/// Bytes of a [`Disclosure`].
const DISCLOSURE_BYTES: usize = 2 * G1_BYTES + field::ENCODED_LEN;
/// Version, format, whether a nullifier follows, number of disclosures.
const HEADER_BYTES: usize = 4;

impl Presentation {
    /// The length in bytes of a presentation of this shape: 1,316 with three proofs and one disclosure.
    pub const fn encoded_len(scoped: bool, disclosures: usize) -> usize {
        let proofs = if scoped {
            3 * PROOF_BYTES + field::ENCODED_LEN
        } else {
            2 * PROOF_BYTES
        };
        HEADER_BYTES + proofs + disclosures * DISCLOSURE_BYTES + SLOTS * field::ENCODED_LEN
    }

    /// The proofs in their order: possession, policy, and nullifier where there is one.
    pub fn proofs(&self) -> impl Iterator<Item = &HiddenProof> {
        [&self.possession, &self.policy]
            .into_iter()
            .chain(self.nullifier.iter().map(|used| &used.proof))
    }

    /// The nullifier, where the policy has a scope.
    pub fn nullifier(&self) -> Option<&Fr> {
        self.nullifier.as_ref().map(|used| &used.nullifier)
    }

    /// The bytes that are sent and logged.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(Self::encoded_len(
            self.nullifier.is_some(),
            self.disclosures.len(),
        ));
        debug_assert!(
            self.disclosures.len() <= MAX_DISCLOSURES,
            "policies disclose fewer"
        );
        out.extend([
            VERSION,
            self.format.code(),
            u8::from(self.nullifier.is_some()),
            self.disclosures.len() as u8,
        ]);
        for proof in [&self.possession, &self.policy] {
            put_proof(&mut out, proof);
        }
        if let Some(used) = &self.nullifier {
            out.extend(field::to_bytes(&used.nullifier));
            put_proof(&mut out, &used.proof);
        }
        for disclosure in &self.disclosures {
            out.extend(g1_to_bytes(&disclosure.commitment));
            out.extend(g1_to_bytes(&disclosure.first_message));
            out.extend(field::to_bytes(&disclosure.blinding_response));
        }
        for response in &self.responses {
            out.extend(field::to_bytes(response));
        }
        out
    }

    /// Reads [`Self::encode`]'s bytes. Refuses, before any pairing: another version, an unknown format, another length than
    /// the header fixes, points off the curve, outside the subgroup, at infinity or in a second encoding, and scalars at
    /// or above the modulus.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        Self::decode_with(bytes, g2_from_bytes)
    }

    /// [`Self::decode`], but for one test: that each B' is in the subgroup. For the verifier alone, which tests it in its Miller
    /// loop at no cost, and refuses it as `decode` would.
    pub fn decode_for_verifier(bytes: &[u8]) -> Result<Self, DecodeError> {
        Self::decode_with(bytes, twist_from_bytes)
    }

    fn decode_with(bytes: &[u8], g2_from_bytes: G2FromBytes) -> Result<Self, DecodeError> {
        let Some((&[version, format, scoped, disclosures], rest)) =
            bytes.split_first_chunk::<HEADER_BYTES>()
        else {
            return Err(DecodeError::Length {
                expected: Self::encoded_len(false, 0),
                found: bytes.len(),
            });
        };
        if version != VERSION {
            return Err(DecodeError::Version(version));
        }
        let format = Format::from_code(format).ok_or(DecodeError::Header("format"))?;
        let scoped = match scoped {
            0 => false,
            1 => true,
            _ => return Err(DecodeError::Header("nullifier flag")),
        };
        let disclosures = usize::from(disclosures);
        if disclosures > MAX_DISCLOSURES {
            return Err(DecodeError::Header("number of disclosures"));
        }
        let expected = Self::encoded_len(scoped, disclosures);
        if bytes.len() != expected {
            return Err(DecodeError::Length {
                expected,
                found: bytes.len(),
            });
        }
        let mut reader = Reader {
            rest,
            g2_from_bytes,
        };
        let possession = reader.proof()?;
        let policy = reader.proof()?;
        let nullifier = if scoped {
            Some(NullifierProof {
                nullifier: reader.scalar("the nullifier")?,
                proof: reader.proof()?,
            })
        } else {
            None
        };
        let disclosures = (0..disclosures)
            .map(|_| {
                Ok(Disclosure {
                    commitment: reader.g1("a commitment")?,
                    first_message: reader.g1("a commitment's first message")?,
                    blinding_response: reader.scalar("a blinding response")?,
                })
            })
            .collect::<Result<_, DecodeError>>()?;
        let mut responses = [Fr::zero(); SLOTS];
        for response in &mut responses {
            *response = reader.scalar("a response")?;
        }
        Ok(Self {
            format,
            possession,
            policy,
            nullifier,
            disclosures,
            responses,
        })
    }
}

fn put_proof(out: &mut Vec<u8>, proof: &HiddenProof) {
    out.extend(g1_to_bytes(&proof.a));
    out.extend(g2_to_bytes(&proof.b));
    out.extend(g1_to_bytes(&proof.c));
    out.extend(g1_to_bytes(&proof.v));
    out.extend(g1_to_bytes(&proof.t));
    out.extend(field::to_bytes(&proof.z_response));
}

type G2FromBytes = fn(&[u8; G2_BYTES]) -> Result<G2Affine, PointError>;

/// Takes fixed-size pieces off the front. The total was checked first, so `Length` here is never seen.
struct Reader<'a> {
    rest: &'a [u8],
    g2_from_bytes: G2FromBytes,
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, rest) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or(DecodeError::Length {
                expected: N,
                found: self.rest.len(),
            })?;
        self.rest = rest;
        Ok(*head)
    }

    fn g1(&mut self, what: &'static str) -> Result<G1Affine, DecodeError> {
        g1_from_bytes(&self.take()?).map_err(|source| DecodeError::Point { what, source })
    }

    fn scalar(&mut self, what: &'static str) -> Result<Fr, DecodeError> {
        field::from_bytes(&self.take()?).map_err(|_| DecodeError::Scalar(what))
    }

    fn proof(&mut self) -> Result<HiddenProof, DecodeError> {
        Ok(HiddenProof {
            a: self.g1("A")?,
            b: (self.g2_from_bytes)(&self.take()?)
                .map_err(|source| DecodeError::Point { what: "B", source })?,
            c: self.g1("C")?,
            v: self.g1("V")?,
            t: self.g1("a first message")?,
            z_response: self.scalar("a blinding's response")?,
        })
    }
}

/// The public inputs of the nullifier relation that the verifier computes itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// hash(trust domain, scope name, start of period).
    pub scope: Fr,
    /// Uses allowed per scope and holder.
    pub bound: u32,
}

/// All that a presentation claims, but for its context and its nullifier: which relations under which keys, which hidden
/// input is which slot, and every public input. Holder and verifier build it each for themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The credential's format, which picks the possession relation.
    pub format: Format,
    /// Verifying-key digests: possession, policy, and nullifier if there is a `usage`.
    pub keys: Vec<[u8; 32]>,
    /// The slot of each of the policy relation's four operands; an unused operand is zero and no slot.
    pub operands: [Option<usize>; 4],
    /// The slots that are disclosed, in the policy's order.
    pub disclosed: Vec<usize>,
    /// The policy relation's public inputs, in their one order.
    pub policy_inputs: Vec<Fr>,
    /// What the nullifier is for, if the policy has a scope.
    pub usage: Option<Usage>,
}

/// The slots of a possession relation's hidden inputs: all, in order.
pub const POSSESSION_SLOTS: [Option<usize>; SLOTS] = [
    Some(0),
    Some(1),
    Some(2),
    Some(3),
    Some(4),
    Some(5),
    Some(6),
    Some(7),
    Some(8),
    Some(9),
    Some(10),
    Some(11),
    Some(12),
    Some(13),
    Some(14),
    Some(15),
];

/// The slots of the policy relation's hidden inputs: origin, not-before, not-after, handle, and the four operands.
/// `None` is an operand that no predicate uses; its input is the constant zero.
pub fn policy_slots(operands: &[Option<usize>; 4]) -> [Option<usize>; 8] {
    let [first, second, third, fourth] = *operands;
    [
        Some(0),
        Some(2),
        Some(3),
        Some(4),
        first,
        second,
        third,
        fourth,
    ]
}

/// The slots of the nullifier relation's hidden inputs: the holder secret.
pub const NULLIFIER_SLOTS: [Option<usize>; 1] = [Some(1)];

/// A disclosed attribute and the blinding that opens its commitment. Sent beside the presentation to those who make the
/// certificate, and never logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// The slot.
    pub slot: u8,
    /// The attribute.
    pub value: AttributeValue,
    /// The commitment's blinding.
    pub blinding: Fr,
}

/// Why an opening, or its bytes, are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpeningError {
    /// The bytes are not one list of openings.
    #[error("the openings are malformed ({0}); send them as they were made")]
    Malformed(&'static str),
    /// More, fewer or other slots than the policy asks to disclose.
    #[error(
        "the openings are not those of the disclosed slots; send one per disclosed attribute, in the policy's order"
    )]
    Slots,
    /// The value is not the one that was committed to.
    #[error(
        "the opening of slot {0} does not fit its commitment; send the openings of this presentation"
    )]
    Mismatch(u8),
}

impl Opening {
    /// Whether this opens `commitment`. A text longer than [`MAX_TEXT`] opens nothing: no encoding carries it.
    pub fn opens(&self, commitment: &G1Affine) -> bool {
        if matches!(&self.value, AttributeValue::Text(text) if text.len() > MAX_TEXT) {
            return false;
        }
        let generators = Pedersen::get();
        let mut sum = FixedG1::plain(generators.value).multiple(&self.value.to_field());
        FixedG1::plain(generators.blinding).add_multiple(&mut sum, &self.blinding);
        sum == *commitment
    }

    /// The bytes of a list of openings: a count, then for each slot (1), kind (1: integer 1, text 2, absent 3), value
    /// (8 bytes big-endian, or a 16-bit length and UTF-8, or nothing), blinding (32).
    pub fn encode_list(openings: &[Self]) -> Vec<u8> {
        debug_assert!(openings.len() <= MAX_DISCLOSURES, "policies disclose fewer");
        let mut out = vec![openings.len() as u8];
        for opening in openings {
            out.push(opening.slot);
            match &opening.value {
                AttributeValue::Integer(value) => {
                    out.push(1);
                    out.extend(value.to_be_bytes());
                }
                AttributeValue::Text(text) => {
                    debug_assert!(text.len() <= MAX_TEXT, "issuers refuse longer texts");
                    out.push(2);
                    out.extend((text.len() as u16).to_be_bytes());
                    out.extend(text.as_bytes());
                }
                AttributeValue::Absent => out.push(3),
            }
            out.extend(field::to_bytes(&opening.blinding));
        }
        out
    }

    /// Reads [`Self::encode_list`]'s bytes; nothing may follow.
    pub fn decode_list(bytes: &[u8]) -> Result<Vec<Self>, OpeningError> {
        const SHORT: OpeningError = OpeningError::Malformed("too short");
        let (&count, mut rest) = bytes.split_first().ok_or(SHORT)?;
        if usize::from(count) > MAX_DISCLOSURES {
            return Err(OpeningError::Malformed("too many"));
        }
        let mut openings = Vec::with_capacity(usize::from(count));
        for _ in 0..count {
            let (&[slot, kind], tail) = rest.split_first_chunk::<2>().ok_or(SHORT)?;
            rest = tail;
            let value = match kind {
                1 => {
                    let (value, tail) = rest.split_first_chunk::<8>().ok_or(SHORT)?;
                    rest = tail;
                    AttributeValue::Integer(u64::from_be_bytes(*value))
                }
                2 => {
                    let (length, tail) = rest.split_first_chunk::<2>().ok_or(SHORT)?;
                    let length = usize::from(u16::from_be_bytes(*length));
                    if length > MAX_TEXT {
                        return Err(OpeningError::Malformed("text too long"));
                    }
                    let (text, tail) = tail.split_at_checked(length).ok_or(SHORT)?;
                    rest = tail;
                    let text = std::str::from_utf8(text)
                        .map_err(|_| OpeningError::Malformed("text is not UTF-8"))?;
                    AttributeValue::Text(text.to_owned())
                }
                3 => AttributeValue::Absent,
                _ => return Err(OpeningError::Malformed("unknown kind of value")),
            };
            let (blinding, tail) = rest.split_first_chunk().ok_or(SHORT)?;
            rest = tail;
            openings.push(Self {
                slot,
                value,
                blinding: field::from_bytes(blinding)
                    .map_err(|_| OpeningError::Malformed("blinding not canonical"))?,
            });
        }
        if !rest.is_empty() {
            return Err(OpeningError::Malformed("trailing bytes"));
        }
        Ok(openings)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use ark_bn254::{Fq2, G1Projective, G2Projective};
    use ark_ec::{AffineRepr, CurveGroup};
    use ark_ff::{BigInteger, PrimeField, UniformRand};
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    /// A well-formed presentation that proves nothing.
    pub(crate) fn sample(scoped: bool, disclosures: usize) -> Presentation {
        let mut rng = ChaCha20Rng::seed_from_u64(11);
        // Miri interprets: there, the generators, since a point at random takes it seconds.
        let g1 = |rng: &mut ChaCha20Rng| match cfg!(miri) {
            true => -G1Affine::generator(),
            false => G1Projective::rand(rng).into_affine(),
        };
        let g2 = |rng: &mut ChaCha20Rng| match cfg!(miri) {
            true => -G2Affine::generator(),
            false => G2Projective::rand(rng).into_affine(),
        };
        let mut proof = || HiddenProof {
            a: g1(&mut rng),
            b: g2(&mut rng),
            c: g1(&mut rng),
            v: g1(&mut rng),
            t: g1(&mut rng),
            z_response: Fr::rand(&mut rng),
        };
        let (possession, policy) = (proof(), proof());
        let nullifier = scoped.then(|| NullifierProof {
            nullifier: Fr::from(77u64),
            proof: proof(),
        });
        Presentation {
            format: Format::Native,
            possession,
            policy,
            nullifier,
            disclosures: (0..disclosures)
                .map(|_| Disclosure {
                    commitment: g1(&mut rng),
                    first_message: g1(&mut rng),
                    blinding_response: Fr::rand(&mut rng),
                })
                .collect(),
            responses: std::array::from_fn(|_| Fr::rand(&mut rng)),
        }
    }

    #[test]
    fn a_presentation_is_read_back_within_its_size() {
        let shapes = [
            (false, 0),
            (true, 0),
            (true, 1),
            (false, 3),
            (true, MAX_DISCLOSURES),
        ];
        // Miri interprets: there, the smallest.
        let shapes = shapes.into_iter().take(if cfg!(miri) { 1 } else { 5 });
        for (scoped, disclosures) in shapes {
            let p = sample(scoped, disclosures);
            let bytes = p.encode();
            assert_eq!(bytes.len(), Presentation::encoded_len(scoped, disclosures));
            assert_eq!(Presentation::decode(&bytes), Ok(p));
        }
        assert!(Presentation::encoded_len(true, 1) <= 1344);
    }

    #[test]
    fn another_length_is_refused() {
        let bytes = sample(true, 1).encode();
        for cut in 0..bytes.len() {
            assert!(Presentation::decode(&bytes[..cut]).is_err(), "{cut}");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(matches!(
            Presentation::decode(&longer),
            Err(DecodeError::Length { .. })
        ));
    }

    #[test]
    fn a_header_without_meaning_is_refused() {
        let bytes = sample(true, 1).encode();
        for (index, value) in [
            (0, 0),
            (0, 2),
            (1, 0),
            (1, 200),
            (2, 2),
            (3, MAX_DISCLOSURES as u8 + 1),
            (3, 255),
        ] {
            let mut bad = bytes.clone();
            bad[index] = value;
            assert!(Presentation::decode(&bad).is_err(), "{index} {value}");
        }
    }

    /// BUGS 1: an input x sent as x + r.
    #[test]
    fn a_scalar_plus_the_modulus_is_refused() {
        let mut p = sample(true, 1);
        p.nullifier.as_mut().unwrap().nullifier = Fr::from(5u64);
        let bytes = p.encode();
        let at = HEADER_BYTES + 2 * PROOF_BYTES;
        let mut alias = Fr::MODULUS;
        assert!(!alias.add_with_carry(&Fr::from(5u64).into_bigint()));
        let mut bad = bytes.clone();
        bad[at..at + 32].copy_from_slice(&alias.to_bytes_le());
        assert_eq!(
            Presentation::decode(&bad),
            Err(DecodeError::Scalar("the nullifier"))
        );
        let mut bad = bytes;
        let last = bad.len() - 32;
        bad[last..].copy_from_slice(&Fr::MODULUS.to_bytes_le());
        assert_eq!(
            Presentation::decode(&bad),
            Err(DecodeError::Scalar("a response"))
        );
    }

    /// BUGS 6: infinity, a point outside the subgroup, in each place.
    #[test]
    fn infinity_and_small_subgroups_are_refused_in_each_place() {
        let bytes = sample(true, 1).encode();
        let infinity_g1 = g1_to_bytes(&G1Affine::identity());
        let proof_starts = [
            HEADER_BYTES,
            HEADER_BYTES + PROOF_BYTES,
            HEADER_BYTES + 2 * PROOF_BYTES + 32,
        ];
        let mut places: Vec<usize> = proof_starts
            .iter()
            .flat_map(|s| [0, 96, 128, 160].map(|offset| s + offset))
            .collect();
        let disclosures = HEADER_BYTES + 3 * PROOF_BYTES + 32;
        places.extend([disclosures, disclosures + 32]);
        for place in places {
            let mut bad = bytes.clone();
            bad[place..place + 32].copy_from_slice(&infinity_g1);
            assert!(
                matches!(
                    Presentation::decode(&bad),
                    Err(DecodeError::Point {
                        source: PointError::Infinity,
                        ..
                    })
                ),
                "{place}"
            );
        }
        let mut rng = ChaCha20Rng::seed_from_u64(12);
        let outside = (0..)
            .find_map(|_| G2Affine::get_point_from_x_unchecked(Fq2::rand(&mut rng), true))
            .unwrap();
        for start in proof_starts {
            let mut bad = bytes.clone();
            bad[start + 32..start + 96].copy_from_slice(&g2_to_bytes(&outside));
            assert!(matches!(
                Presentation::decode(&bad),
                Err(DecodeError::Point {
                    source: PointError::NotInSubgroup,
                    ..
                })
            ));
            bad[start + 32..start + 96].copy_from_slice(&g2_to_bytes(&G2Affine::identity()));
            assert!(Presentation::decode(&bad).is_err());
        }
    }

    #[test]
    fn openings_are_read_back_and_nothing_else_is() {
        let mut rng = ChaCha20Rng::seed_from_u64(13);
        let openings: Vec<_> = [
            (5, AttributeValue::Integer(9)),
            (6, AttributeValue::Text("Venezia".into())),
            (7, AttributeValue::Absent),
        ]
        .into_iter()
        .map(|(slot, value)| Opening {
            slot,
            value,
            blinding: Fr::rand(&mut rng),
        })
        .collect();
        let bytes = Opening::encode_list(&openings);
        assert_eq!(Opening::decode_list(&bytes), Ok(openings.clone()));
        for cut in 0..bytes.len() {
            assert!(Opening::decode_list(&bytes[..cut]).is_err());
        }
        let mut bad = bytes.clone();
        bad.push(0);
        assert_eq!(
            Opening::decode_list(&bad),
            Err(OpeningError::Malformed("trailing bytes"))
        );
        let mut bad = bytes;
        bad[2] = 9;
        assert!(Opening::decode_list(&bad).is_err());
        // An issuer of another make could sign any length; what was opened must also fit the encodings.
        for (length, opens) in [(MAX_TEXT, true), (MAX_TEXT + 1, false), (70_000, false)] {
            let long = Opening {
                slot: 5,
                value: AttributeValue::Text("x".repeat(length)),
                blinding: Fr::from(1u64),
            };
            let commitment = Pedersen::get().commit(&long.value.to_field(), &long.blinding);
            assert_eq!(long.opens(&commitment), opens, "{length}");
        }
        for opening in openings {
            let commitment = Pedersen::get().commit(&opening.value.to_field(), &opening.blinding);
            assert!(opening.opens(&commitment));
            let mut other = opening.clone();
            other.value = AttributeValue::Integer(10);
            assert!(!other.opens(&commitment));
            let mut other = opening;
            other.blinding += Fr::from(1u64);
            assert!(!other.opens(&commitment));
        }
    }
}
