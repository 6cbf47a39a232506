//! The one transcript of a presentation (DESIGN 3.2): merlin, each message under its label with its length. Holder and
//! verifier run the same three functions over the same [`Presentation`], so nothing that is verified can stay outside.
//!
//! What is appended is told by three visitors, which the transcript passes to merlin as they are. A test can pass on all
//! but one label instead: for each of them an attack is kept that works without it (`verifier/src/attacks.rs`).

use ark_bn254::{G1Affine, G2Affine};
use ark_ff::PrimeField;
use merlin::{Transcript, TranscriptRng};
use rand_core::{CryptoRng, RngCore};

use crate::context::Context;
use crate::field::{self, Fr};
use crate::group::{g1_to_bytes, g2_to_bytes};
use crate::presentation::{Presentation, Statement, VERSION};

/// Name of the protocol, absorbed before everything.
pub const PROTOCOL: &[u8] = b"bauta/v1/presentation";

/// A label, as merlin wants it.
pub type Label = &'static [u8];

/// The transcript before the prover has said anything: statement, nullifier and context are absorbed.
#[derive(Clone)]
pub struct PresentationTranscript(Transcript);

/// The transcript after the challenge.
pub struct Challenged {
    transcript: Transcript,
    challenge: Fr,
}

/// What both sides know: version, statement, nullifier if there is one, and the whole context.
pub fn visit_statement(
    statement: &Statement,
    nullifier: Option<&Fr>,
    context: &Context,
    mut append: impl FnMut(Label, &[u8]),
) {
    append(b"version", &number(u64::from(VERSION)));
    append(b"format", &number(u64::from(statement.format.code())));
    append(b"relations", &number(statement.keys.len() as u64));
    for digest in &statement.keys {
        append(b"verifying-key", digest);
    }
    for operand in &statement.operands {
        append(b"operand", &slot(*operand));
    }
    append(b"disclosures", &number(statement.disclosed.len() as u64));
    for disclosed in &statement.disclosed {
        append(b"disclosed", &slot(Some(*disclosed)));
    }
    append(
        b"policy-inputs",
        &number(statement.policy_inputs.len() as u64),
    );
    for input in &statement.policy_inputs {
        append(b"policy-input", &field::to_bytes(input));
    }
    append(b"scoped", &number(u64::from(statement.usage.is_some())));
    if let Some(usage) = &statement.usage {
        append(b"scope", &field::to_bytes(&usage.scope));
        append(b"bound", &number(u64::from(usage.bound)));
    }
    if let Some(nullifier) = nullifier {
        append(b"nullifier", &field::to_bytes(nullifier));
    }
    for (label, value) in context.fields() {
        append(label, &value);
    }
}

/// All that the prover says before the challenge. Responses are not read.
pub fn visit_first_messages(presentation: &Presentation, mut append: impl FnMut(Label, &[u8])) {
    for proof in presentation.proofs() {
        append(b"A", &g1_to_bytes(&proof.a));
        append(b"B", &g2_to_bytes(&proof.b));
        append(b"C", &g1_to_bytes(&proof.c));
        append(b"V", &g1_to_bytes(&proof.v));
    }
    for disclosure in &presentation.disclosures {
        append(b"commitment", &g1_to_bytes(&disclosure.commitment));
    }
    for proof in presentation.proofs() {
        append(b"first-message", &g1_to_bytes(&proof.t));
    }
    for disclosure in &presentation.disclosures {
        append(
            b"commitment-first-message",
            &g1_to_bytes(&disclosure.first_message),
        );
    }
}

/// All that the prover says after the challenge.
pub fn visit_responses(presentation: &Presentation, mut append: impl FnMut(Label, &[u8])) {
    for proof in presentation.proofs() {
        append(b"z-response", &field::to_bytes(&proof.z_response));
    }
    for disclosure in &presentation.disclosures {
        append(
            b"blinding-response",
            &field::to_bytes(&disclosure.blinding_response),
        );
    }
    for response in &presentation.responses {
        append(b"response", &field::to_bytes(response));
    }
}

/// Draws the challenge: a full-width scalar.
pub fn draw_challenge(transcript: &mut Transcript) -> Fr {
    let mut wide = [0; 64];
    transcript.challenge_bytes(b"challenge", &mut wide);
    Fr::from_le_bytes_mod_order(&wide)
}

/// Draws the seed of a batch's weights.
pub fn draw_weight_seed(transcript: &mut Transcript) -> [u8; 32] {
    let mut seed = [0; 32];
    transcript.challenge_bytes(b"weight-seed", &mut seed);
    seed
}

impl PresentationTranscript {
    /// Absorbs the version, the statement, the nullifier if there is one, and the whole context.
    pub fn new(statement: &Statement, nullifier: Option<&Fr>, context: &Context) -> Self {
        let mut t = Transcript::new(PROTOCOL);
        visit_statement(statement, nullifier, context, |label, data| {
            t.append_message(label, data);
        });
        Self(t)
    }

    /// The randomness of one show: keyed by the whole context, by the stored proofs that are shown (A, B, C of each), by
    /// the witness and by `rng`. All that the challenge depends on is in it, so that a cloned machine with a repeated
    /// `rng` does not repeat a first message under another challenge.
    pub fn show_rng<'a>(
        &self,
        proofs: impl IntoIterator<Item = (G1Affine, G2Affine, G1Affine)>,
        witness: impl IntoIterator<Item = &'a Fr>,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> TranscriptRng {
        let mut builder = self.0.build_rng();
        for (a, b, c) in proofs {
            builder = builder
                .rekey_with_witness_bytes(b"proof", &g1_to_bytes(&a))
                .rekey_with_witness_bytes(b"proof", &g2_to_bytes(&b))
                .rekey_with_witness_bytes(b"proof", &g1_to_bytes(&c));
        }
        for value in witness {
            builder = builder.rekey_with_witness_bytes(b"witness", &field::to_bytes(value));
        }
        builder.finalize(rng)
    }

    /// Absorbs all that the prover says before the challenge, and draws it. Responses in `presentation` are not read.
    pub fn challenge(self, presentation: &Presentation) -> Challenged {
        let mut t = self.0;
        visit_first_messages(presentation, |label, data| t.append_message(label, data));
        Challenged {
            challenge: draw_challenge(&mut t),
            transcript: t,
        }
    }
}

impl Challenged {
    /// The challenge: a full-width scalar.
    pub fn challenge(&self) -> Fr {
        self.challenge
    }

    /// A seed that depends on every byte that was read, responses included; the weights of a batch come from the seeds of
    /// all its items. Nobody can choose a response after the weights.
    pub fn weight_seed(self, presentation: &Presentation) -> [u8; 32] {
        let mut t = self.transcript;
        visit_responses(presentation, |label, data| t.append_message(label, data));
        draw_weight_seed(&mut t)
    }
}

/// As merlin's `append_u64` writes a number.
fn number(value: u64) -> [u8; 8] {
    value.to_le_bytes()
}

/// A slot, or u64::MAX for none.
fn slot(slot: Option<usize>) -> [u8; 8] {
    number(slot.map_or(u64::MAX, |slot| slot as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presentation::Usage;
    use crate::presentation::tests::sample;
    use crate::vector::Format;
    use ark_ec::AffineRepr;
    use ark_ff::UniformRand;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    fn statement() -> Statement {
        Statement {
            format: Format::Native,
            keys: vec![[1; 32], [2; 32], [3; 32]],
            operands: [Some(5), Some(6), None, None],
            disclosed: vec![7],
            policy_inputs: vec![Fr::from(1u64), Fr::from(2u64)],
            usage: Some(Usage {
                scope: Fr::from(3u64),
                bound: 5,
            }),
        }
    }

    fn context() -> Context {
        Context {
            policy_digest: [4; 32],
            nonce: [5; 32],
            expiry: 6,
            trust_domain: "example.org".into(),
            ca_name: "Bauta".into(),
            log_origin: "log.example.org".into(),
            spki_sha256: [7; 32],
        }
    }

    type Changed = (Statement, Option<Fr>, Context, Presentation);
    type Change = (&'static str, fn(&mut Changed));

    fn draw((statement, nullifier, context, presentation): &Changed) -> (Fr, [u8; 32]) {
        let challenged = PresentationTranscript::new(statement, nullifier.as_ref(), context)
            .challenge(presentation);
        (challenged.challenge(), challenged.weight_seed(presentation))
    }

    fn start() -> Changed {
        (
            statement(),
            Some(Fr::from(77u64)),
            context(),
            sample(true, 1),
        )
    }

    /// The labels in the order of `docs/spec/presentation.md`, section 8.
    #[test]
    fn the_appends_are_those_of_the_specification() {
        let (statement, nullifier, context, presentation) = start();
        let mut labels = Vec::new();
        let mut note = |label: Label, _: &[u8]| labels.push(std::str::from_utf8(label).unwrap());
        visit_statement(&statement, nullifier.as_ref(), &context, &mut note);
        visit_first_messages(&presentation, &mut note);
        visit_responses(&presentation, &mut note);
        let expected: Vec<(&str, usize)> = [
            ("version", 1),
            ("format", 1),
            ("relations", 1),
            ("verifying-key", 3),
            ("operand", 4),
            ("disclosures", 1),
            ("disclosed", 1),
            ("policy-inputs", 1),
            ("policy-input", 2),
            ("scoped", 1),
            ("scope", 1),
            ("bound", 1),
            ("nullifier", 1),
            ("policy-digest", 1),
            ("nonce", 1),
            ("expiry", 1),
            ("trust-domain", 1),
            ("ca-name", 1),
            ("log-origin", 1),
            ("spki-sha256", 1),
        ]
        .into_iter()
        .chain([("A", 1), ("B", 1), ("C", 1), ("V", 1)].repeat(3))
        .chain([
            ("commitment", 1),
            ("first-message", 3),
            ("commitment-first-message", 1),
            ("z-response", 3),
            ("blinding-response", 1),
            ("response", 16),
        ])
        .collect();
        let expected: Vec<&str> = expected
            .into_iter()
            .flat_map(|(label, times)| [label].repeat(times))
            .collect();
        assert_eq!(labels, expected);
    }

    /// BUGS 3 and 8: each thing that is absorbed, changed alone, changes the challenge.
    #[test]
    fn everything_before_the_challenge_is_bound() {
        let changes: Vec<Change> = vec![
            ("format", |c| c.0.format = Format::X509Rsa),
            ("possession key", |c| c.0.keys[0][31] ^= 1),
            ("policy key", |c| c.0.keys[1][0] ^= 1),
            ("nullifier key", |c| c.0.keys[2][0] ^= 128),
            ("fewer keys", |c| c.0.keys.truncate(2)),
            ("operand", |c| c.0.operands[0] = Some(8)),
            ("operand unused", |c| c.0.operands[1] = None),
            ("operands swapped", |c| c.0.operands.swap(0, 1)),
            ("disclosed slot", |c| c.0.disclosed[0] = 8),
            ("no disclosure", |c| c.0.disclosed.clear()),
            ("policy input", |c| c.0.policy_inputs[0] += Fr::from(1u64)),
            ("policy inputs swapped", |c| c.0.policy_inputs.swap(0, 1)),
            ("one input more", |c| c.0.policy_inputs.push(Fr::from(0u64))),
            ("scope", |c| {
                c.0.usage.as_mut().unwrap().scope += Fr::from(1u64)
            }),
            ("bound", |c| c.0.usage.as_mut().unwrap().bound += 1),
            ("no usage", |c| c.0.usage = None),
            ("nullifier", |c| c.1 = Some(Fr::from(78u64))),
            ("no nullifier", |c| c.1 = None),
            ("policy digest", |c| c.2.policy_digest[0] ^= 1),
            ("nonce", |c| c.2.nonce[0] ^= 1),
            ("expiry", |c| c.2.expiry += 1),
            ("trust domain", |c| c.2.trust_domain.push('x')),
            ("CA name", |c| c.2.ca_name.push('x')),
            ("log origin", |c| c.2.log_origin.push('x')),
            ("key", |c| c.2.spki_sha256[31] ^= 1),
            ("A", |c| c.3.possession.a = G1Affine::generator()),
            ("B", |c| c.3.possession.b = G2Affine::generator()),
            ("C", |c| c.3.policy.c = G1Affine::generator()),
            ("V", |c| c.3.policy.v = G1Affine::generator()),
            ("T", |c| c.3.policy.t = G1Affine::generator()),
            ("nullifier's A", |c| {
                c.3.nullifier.as_mut().unwrap().proof.a = G1Affine::generator()
            }),
            ("nullifier's T", |c| {
                c.3.nullifier.as_mut().unwrap().proof.t = G1Affine::generator()
            }),
            ("commitment", |c| {
                c.3.disclosures[0].commitment = G1Affine::generator()
            }),
            ("commitment's first message", |c| {
                c.3.disclosures[0].first_message = G1Affine::generator()
            }),
        ];
        let (challenge, seed) = draw(&start());
        assert_eq!(draw(&start()), (challenge, seed));
        let mut seen = vec![challenge];
        for (what, change) in changes {
            let mut changed = start();
            change(&mut changed);
            let (other, other_seed) = draw(&changed);
            assert!(!seen.contains(&other), "{what}");
            assert_ne!(seed, other_seed, "{what}");
            seen.push(other);
        }
    }

    #[test]
    fn responses_are_bound_by_the_weights_alone() {
        let changes: [fn(&mut Presentation); 4] = [
            |p| p.responses[15] += Fr::from(1u64),
            |p| p.possession.z_response += Fr::from(1u64),
            |p| p.nullifier.as_mut().unwrap().proof.z_response += Fr::from(1u64),
            |p| p.disclosures[0].blinding_response += Fr::from(1u64),
        ];
        let (challenge, seed) = draw(&start());
        for change in changes {
            let mut changed = start();
            change(&mut changed.3);
            let (other, other_seed) = draw(&changed);
            assert_eq!(challenge, other);
            assert_ne!(seed, other_seed);
        }
    }

    /// A cloned machine (same rng state) draws other randomness in another context, for another witness, and for other
    /// proofs: with the same masks under another challenge the two shows would give the vector away.
    #[test]
    fn show_randomness_follows_context_proofs_and_witness() {
        let (g1, g2) = (G1Affine::generator(), G2Affine::generator());
        let draw = |context: &Context, proof: (G1Affine, G2Affine, G1Affine), witness: u64| {
            let transcript = PresentationTranscript::new(&statement(), None, context);
            let mut rng = transcript.show_rng(
                [proof],
                &[Fr::from(witness)],
                &mut ChaCha20Rng::seed_from_u64(1),
            );
            Fr::rand(&mut rng)
        };
        let first = draw(&context(), (g1, g2, g1), 1);
        assert_eq!(first, draw(&context(), (g1, g2, g1), 1));
        let mut other = context();
        other.nonce[0] ^= 1;
        assert_ne!(first, draw(&other, (g1, g2, g1), 1));
        assert_ne!(first, draw(&context(), (g1, g2, g1), 2));
        for proof in [(-g1, g2, g1), (g1, -g2, g1), (g1, g2, -g1)] {
            assert_ne!(first, draw(&context(), proof, 1));
        }
    }
}
