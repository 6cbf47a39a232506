//! Frozen Heart, tried on every line of the transcript: for each label, an attack that the verifier accepts if the append
//! under that label is left out by both sides, and refuses as things are.
//!
//! The transcript's appends are data (`visit_statement` and the other two of `statement/src/transcript.rs`), so "left out"
//! is a filter here and no switch in the code that ships. The verification equation is the real one; only challenge and
//! weight seed are put in its hands. Proofs are simulated under a parameter set whose toxic waste is known, so the circuits
//! are no part of this.
//!
//! Some elements are bound by the others through the pairing equation, so that leaving out one of their labels helps nobody:
//! (rA', B'/r) wants A and B free. Such an attack names all the labels that it needs, and is shown to fail with any of them
//! in place. A few labels are implied by others; [`IMPLIED`] says by which, and a test holds it to that. A label that has
//! neither an attack nor an entry there fails [`every_label_has_a_case`].

use std::collections::BTreeSet;
use std::sync::Arc;

use ark_bn254::{Fr, G1Affine};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{AdditiveGroup, Field, UniformRand};
use bauta_statement::context::Context;
use bauta_statement::group::Pedersen;
use bauta_statement::presentation::{Presentation, Statement, Usage};
use bauta_statement::relation::{Mode, PolicyPublic, PredicatePublic, PredicateTest, Relation};
use bauta_statement::transcript::{
    Label, PROTOCOL, PresentationTranscript, draw_challenge, draw_weight_seed,
    visit_first_messages, visit_responses, visit_statement,
};
use bauta_statement::vector::{Format, SLOTS};
use bauta_statement::verifying_key::VerifyingKey;
use merlin::Transcript;
use rand_chacha::ChaCha20Rng;

use crate::batch::{holds, verify_batch};
use crate::keys::Keys;
use crate::presentation::{Examined, Item, PolicyContext};
use crate::sums::Weights;
use crate::testing::{Draft, Toy, hidden_sum, masks, proofs_mut, rng, slots_of};

/// The transcript as it would be if both sides forgot some appends.
struct Oracle {
    forgotten: BTreeSet<&'static str>,
}

impl Oracle {
    fn without(labels: &[&'static str]) -> Self {
        Self {
            forgotten: labels.iter().copied().collect(),
        }
    }

    fn draw(
        &self,
        statement: &Statement,
        context: &Context,
        presentation: &Presentation,
    ) -> (Fr, [u8; 32]) {
        let mut t = Transcript::new(PROTOCOL);
        let append = |t: &mut Transcript, label: Label, data: &[u8]| {
            if !self.forgotten.contains(name(label)) {
                t.append_message(label, data);
            }
        };
        visit_statement(
            statement,
            presentation.nullifier(),
            context,
            |label, data| {
                append(&mut t, label, data);
            },
        );
        visit_first_messages(presentation, |label, data| append(&mut t, label, data));
        let challenge = draw_challenge(&mut t);
        visit_responses(presentation, |label, data| append(&mut t, label, data));
        (challenge, draw_weight_seed(&mut t))
    }

    /// Whether a verifier with this transcript accepts all of a forgery's presentations, verified together.
    fn accepts(&self, forgery: &Forgery) -> bool {
        let items = forgery.items();
        let examined: Vec<Examined<'_>> = items
            .iter()
            .map(|item| {
                let statement = statement_of(item);
                let mut examined = Examined::new(*item).unwrap();
                (examined.challenge, examined.seed) =
                    self.draw(&statement, item.context, item.presentation);
                examined
            })
            .collect();
        holds(&examined.iter().collect::<Vec<_>>())
    }
}

fn name(label: Label) -> &'static str {
    std::str::from_utf8(label).unwrap()
}

fn statement_of(item: &Item<'_>) -> Statement {
    item.policy
        .statement(item.presentation.format, item.usage)
        .unwrap()
}

/// What an attacker hands to the verifier, and what the verifier checks it against.
struct Forgery {
    policy: PolicyContext,
    shown: Vec<(Context, Presentation, Usage)>,
}

impl Forgery {
    fn items(&self) -> Vec<Item<'_>> {
        self.shown
            .iter()
            .map(|(context, presentation, usage)| Item {
                policy: &self.policy,
                context,
                presentation,
                usage: Some(*usage),
            })
            .collect()
    }
}

/// A parameter set, a policy in an epoch, a scope, a vector: all that an honest show needs.
struct World {
    toy: Toy,
    keys: [VerifyingKey; 3],
    operands: [Option<usize>; 4],
    disclosed: Vec<usize>,
    epoch: (u64, u64),
    usage: Usage,
    nullifier: Fr,
    context: Context,
    vector: [Fr; SLOTS],
    masks: [Fr; SLOTS],
    rng: ChaCha20Rng,
}

impl World {
    fn new() -> Self {
        Self::under(Toy::new(&mut rng(1)))
    }

    fn under(toy: Toy) -> Self {
        let mut rng = rng(2);
        let mut vector = masks(&mut rng);
        vector[9] = vector[7];
        Self {
            keys: toy.keys(),
            toy,
            operands: [Some(5), Some(6), Some(7), None],
            disclosed: vec![7, 10],
            epoch: (1_000, 2_000),
            usage: Usage {
                scope: Fr::rand(&mut rng),
                bound: 7,
            },
            nullifier: Fr::rand(&mut rng),
            context: Context {
                policy_digest: [4; 32],
                nonce: [5; 32],
                expiry: 1_800_000_000,
                trust_domain: "example.org".into(),
                ca_name: "Bauta".into(),
                log_origin: "log.example.org/2026h2".into(),
                spki_sha256: [7; 32],
            },
            vector,
            masks: masks(&mut rng),
            rng,
        }
    }

    fn public(&self) -> PolicyPublic {
        let present = PredicatePublic {
            test: PredicateTest::NotEqual(Fr::from(0u64)),
            mode: Mode::Required,
        };
        PolicyPublic::new(
            [present, present, present, PredicatePublic::NONE],
            self.epoch.0,
            self.epoch.1,
            Fr::from(3u64),
            Fr::from(4u64),
        )
        .unwrap()
    }

    fn policy(&self) -> PolicyContext {
        let [possession, policy, nullifier] = self.keys.clone();
        let keys: Arc<Keys> =
            Keys::new(vec![(Format::Native, possession)], policy, nullifier).unwrap();
        PolicyContext::new(
            keys,
            &[Format::Native],
            self.operands,
            self.disclosed.clone(),
            &self.public(),
            true,
        )
        .unwrap()
    }

    /// The same statement as the policy's, without preparing keys for it.
    fn statement(&self) -> Statement {
        Statement {
            format: Format::Native,
            keys: self.keys.iter().map(VerifyingKey::digest).collect(),
            operands: self.operands,
            disclosed: self.disclosed.clone(),
            policy_inputs: self.public().to_inputs(),
            usage: Some(self.usage),
        }
    }

    fn draft(&mut self) -> Draft {
        let statement = self.statement();
        let proofs = self.toy.proofs(
            &statement,
            &self.vector,
            Some(self.nullifier),
            &mut self.rng,
        );
        Draft::new(
            &self.keys.iter().collect::<Vec<_>>(),
            &statement,
            &self.vector,
            &proofs,
            Some(self.nullifier),
            self.masks,
            &mut self.rng,
        )
    }

    fn challenge(&self, oracle: &Oracle, presentation: &Presentation) -> Fr {
        oracle
            .draw(&self.statement(), &self.context, presentation)
            .0
    }

    fn seed(&self, oracle: &Oracle, presentation: &Presentation) -> [u8; 32] {
        oracle
            .draw(&self.statement(), &self.context, presentation)
            .1
    }

    /// An honest show, with this oracle's challenge.
    fn show(&mut self, oracle: &Oracle) -> Presentation {
        let draft = self.draft();
        draft.respond(self.challenge(oracle, &draft.presentation))
    }

    /// To be verified in this world.
    fn forgery(&self, shown: impl IntoIterator<Item = Presentation>) -> Forgery {
        Forgery {
            policy: self.policy(),
            shown: shown
                .into_iter()
                .map(|presentation| (self.context.clone(), presentation, self.usage))
                .collect(),
        }
    }
}

struct Attack {
    /// What it does.
    what: &'static str,
    /// The labels whose appends must be missing for it to work: all of them.
    forgotten: &'static [&'static str],
    run: fn(&Oracle) -> Forgery,
}

/// A show made honestly in one world, and verified in one that differs.
fn replay(oracle: &Oracle, change: fn(&mut World)) -> Forgery {
    let mut world = World::new();
    world.masks[9] = world.masks[7];
    let shown = world.show(oracle);
    change(&mut world);
    world.forgery([shown])
}

fn attacks() -> Vec<Attack> {
    vec![
        Attack {
            what: "a show under one key counts under another that differs where this statement is 0",
            forgotten: &["verifying-key"],
            run: |oracle| {
                replay(oracle, |world| {
                    // The last input is the any-of flag of the fourth place, which is not used.
                    *world.toy.relations[1].l.last_mut().unwrap() += Fr::from(1u64);
                    world.keys = world.toy.keys();
                })
            },
        },
        Attack {
            what: "a show for one slot counts for another that holds the same value",
            forgotten: &["operand"],
            run: |oracle| replay(oracle, |world| world.operands[2] = Some(9)),
        },
        Attack {
            what: "a disclosure of one slot counts as that of another that holds the same value",
            forgotten: &["disclosed"],
            run: |oracle| replay(oracle, |world| world.disclosed[0] = 9),
        },
        Attack {
            what: "a show for one epoch counts for another, where a relation between two L is known",
            forgotten: &["policy-input"],
            run: |oracle| {
                let mut toy = Toy::new(&mut rng(1));
                let first = 1 + Relation::Policy.hidden_inputs();
                toy.relations[1].l[first] = toy.relations[1].l[first + 1].double();
                let mut world = World::under(toy);
                let shown = world.show(oracle);
                world.epoch.0 += 1;
                world.epoch.1 -= 2;
                world.forgery([shown])
            },
        },
        Attack {
            what: "a show for one scope counts for another, where a relation between two L is known",
            forgotten: &["scope", "bound"],
            run: |oracle| {
                let mut toy = Toy::new(&mut rng(1));
                toy.relations[2].l[3] = toy.relations[2].l[4].double();
                let mut world = World::under(toy);
                let shown = world.show(oracle);
                world.usage.scope += Fr::from(1u64);
                world.usage.bound -= 2;
                world.forgery([shown])
            },
        },
        Attack {
            what: "a use gets a second nullifier, where a relation between two L is known",
            forgotten: &["nullifier", "scope"],
            run: |oracle| {
                let mut toy = Toy::new(&mut rng(1));
                toy.relations[2].l[2] = toy.relations[2].l[3].double();
                let mut world = World::under(toy);
                let mut shown = world.show(oracle);
                shown.nullifier.as_mut().unwrap().nullifier += Fr::from(1u64);
                world.usage.scope -= Fr::from(2u64);
                world.forgery([shown])
            },
        },
        Attack {
            what: "a show for one policy text counts for another",
            forgotten: &["policy-digest"],
            run: |oracle| replay(oracle, |world| world.context.policy_digest[0] ^= 1),
        },
        Attack {
            what: "an old show answers a new challenge",
            forgotten: &["nonce"],
            run: |oracle| replay(oracle, |world| world.context.nonce[31] ^= 128),
        },
        Attack {
            what: "a challenge lives longer than it says",
            forgotten: &["expiry"],
            run: |oracle| replay(oracle, |world| world.context.expiry += 1),
        },
        Attack {
            what: "a show to one trust domain is carried to another",
            forgotten: &["trust-domain"],
            run: |oracle| replay(oracle, |world| world.context.trust_domain.push('x')),
        },
        Attack {
            what: "a show to one CA is carried to another",
            forgotten: &["ca-name"],
            run: |oracle| replay(oracle, |world| world.context.ca_name.clear()),
        },
        Attack {
            what: "a show for one log is put into another",
            forgotten: &["log-origin"],
            run: |oracle| replay(oracle, |world| world.context.log_origin.push('/')),
        },
        Attack {
            what: "another key is certified with a stolen show",
            forgotten: &["spki-sha256"],
            run: |oracle| replay(oracle, |world| world.context.spki_sha256[0] ^= 1),
        },
        Attack {
            what: "a stranger re-randomizes a show: (rA', B'/r)",
            forgotten: &["A", "B"],
            run: |oracle| {
                let mut world = World::new();
                let mut shown = world.show(oracle);
                for proof in proofs_mut(&mut shown) {
                    proof.a = (proof.a * Fr::from(5u64)).into_affine();
                    proof.b = (proof.b * Fr::from(5u64).inverse().unwrap()).into_affine();
                }
                world.forgery([shown])
            },
        },
        Attack {
            what: "a stranger re-randomizes a show: (V + kδ₁, C'' − kG₁, s_z + kc)",
            forgotten: &["C", "V"],
            run: |oracle| {
                let mut world = World::new();
                let mut shown = world.show(oracle);
                let k = Fr::from(5u64);
                let c = world.challenge(oracle, &shown);
                let keys = world.keys.clone();
                for (proof, key) in proofs_mut(&mut shown).into_iter().zip(&keys) {
                    proof.v = (proof.v + key.delta_g1 * k).into_affine();
                    proof.c = (proof.c - G1Affine::generator() * k).into_affine();
                    proof.z_response += k * c;
                }
                world.forgery([shown])
            },
        },
        Attack {
            what: "a commitment chosen after the challenge, to another value than the slot's",
            forgotten: &["commitment"],
            run: |oracle| {
                let mut world = World::new();
                let mut draft = world.draft();
                let mask = draft.masks[7] + Fr::from(1u64);
                let t = Pedersen::get().commit(&mask, &draft.blindings[0].mask);
                draft.presentation.disclosures[0].first_message = t;
                let c = world.challenge(oracle, &draft.presentation);
                // (s_jH + s_bK − T_D)/c: it holds x_j − 1/c.
                let value = world.vector[7] - c.inverse().unwrap();
                let blinding = draft.blindings[0].blinding;
                draft.presentation.disclosures[0].commitment =
                    Pedersen::get().commit(&value, &blinding);
                world.forgery([draft.respond(c)])
            },
        },
        Attack {
            what: "a commitment to any value, its first message chosen after the challenge",
            forgotten: &["commitment-first-message"],
            run: |oracle| {
                let mut world = World::new();
                let mut draft = world.draft();
                let Pedersen { value, blinding } = *Pedersen::get();
                let lie = Pedersen::get().commit(&Fr::from(99u64), &draft.blindings[0].blinding);
                draft.presentation.disclosures[0].commitment = lie;
                let c = world.challenge(oracle, &draft.presentation);
                let mut shown = draft.respond(c);
                let disclosure = &mut shown.disclosures[0];
                disclosure.first_message = (value * shown.responses[7]
                    + blinding * disclosure.blinding_response
                    - lie * c)
                    .into_affine();
                world.forgery([shown])
            },
        },
        Attack {
            what: "the policy is proved with another person's vector, T chosen after the challenge",
            forgotten: &["first-message"],
            run: |oracle| {
                let mut world = World::new();
                let (statement, nullifier) = (world.statement(), Some(world.nullifier));
                let other = masks(&mut world.rng);
                let borrowed = world
                    .toy
                    .proofs(&statement, &other, nullifier, &mut world.rng)[1];
                let mut draft = world.draft();
                let key = &world.keys[1];
                let slots = &slots_of(&world.operands)[1];
                let z = Fr::rand(&mut world.rng);
                let v = (hidden_sum(key, slots, &other) + key.delta_g1 * z).into_affine();
                let stolen = &mut draft.presentation.policy;
                (stolen.a, stolen.b, stolen.v) = (borrowed.a, borrowed.b, v);
                stolen.c = (borrowed.c - G1Affine::generator() * z).into_affine();
                let c = world.challenge(oracle, &draft.presentation);
                let mut shown = draft.respond(c);
                let s = hidden_sum(key, slots, &shown.responses);
                shown.policy.t = (s + key.delta_g1 * shown.policy.z_response - v * c).into_affine();
                world.forgery([shown])
            },
        },
        Attack {
            what: "wrong s_z in two shows of a batch, such that the weights cancel them",
            forgotten: &["z-response"],
            run: |oracle| {
                let (world, mut shown, weights) = two(oracle);
                shown[0].possession.z_response += weights[1].schnorr;
                shown[1].possession.z_response -= weights[0].schnorr;
                world.forgery(shown)
            },
        },
        Attack {
            what: "wrong s_b for two commitments of one show, such that the weights cancel them",
            forgotten: &["blinding-response"],
            run: |oracle| {
                let (world, mut shown, weights) = two(oracle);
                let [first, second] = weights[0].commitments;
                shown[0].disclosures[0].blinding_response += second;
                shown[0].disclosures[1].blinding_response -= first;
                world.forgery(shown)
            },
        },
        Attack {
            what: "wrong s₈ in two shows of a batch, such that the weights cancel them",
            forgotten: &["response"],
            run: |oracle| {
                let (world, mut shown, weights) = two(oracle);
                shown[0].responses[8] += weights[1].schnorr;
                shown[1].responses[8] -= weights[0].schnorr;
                world.forgery(shown)
            },
        },
    ]
}

/// The weights of one show's equations that the attacks on responses use.
struct ShowWeights {
    /// Of the possession proof's equation (2).
    schnorr: Fr,
    /// Of the two commitments' equations (3).
    commitments: [Fr; 2],
}

/// Two honest shows and the weights of their batch, in the order of the specification, section 10.
fn two(oracle: &Oracle) -> (World, Vec<Presentation>, Vec<ShowWeights>) {
    let mut world = World::new();
    let shown = vec![world.show(oracle), world.show(oracle)];
    let seeds: Vec<_> = shown.iter().map(|p| world.seed(oracle, p)).collect();
    let mut weights = Weights::new(seeds.iter());
    let mut next = || weights.next().scalar();
    let weights = (0..2)
        .map(|show| {
            // w and u of each proof, but that the last proof of all has no w of its own.
            let (_, schnorr, _, _) = (next(), next(), next(), next());
            if show == 0 {
                next();
            }
            next();
            ShowWeights {
                schnorr,
                commitments: [next(), next()],
            }
        })
        .collect();
    (world, shown, weights)
}

/// Labels without which the appends still tell all statements apart, and why.
const IMPLIED: [(&str, &str); 6] = [
    (
        "version",
        "the protocol's name has it too, and decoding knows no other",
    ),
    (
        "format",
        "each format has a key of its own, whose digest is under `verifying-key`",
    ),
    (
        "relations",
        "it is the number of appends under `verifying-key`",
    ),
    (
        "disclosures",
        "it is the number of appends under `disclosed`",
    ),
    (
        "policy-inputs",
        "it is the number of appends under `policy-input`",
    ),
    (
        "scoped",
        "it says whether there are appends under `scope` and `bound`",
    ),
];

/// Every append of a show in this world.
fn appends(
    statement: &Statement,
    context: &Context,
    shown: &Presentation,
) -> Vec<(Label, Vec<u8>)> {
    let mut all = Vec::new();
    let mut note = |label: Label, data: &[u8]| all.push((label, data.to_vec()));
    visit_statement(statement, shown.nullifier(), context, &mut note);
    visit_first_messages(shown, &mut note);
    visit_responses(shown, &mut note);
    all
}

#[test]
fn each_attack_works_without_its_appends_and_fails_with_them() {
    for Attack {
        what,
        forgotten,
        run,
    } in attacks()
    {
        let weak = Oracle::without(forgotten);
        assert!(
            weak.accepts(&run(&weak)),
            "{what}: fails even without {forgotten:?}"
        );
        // All but one of them: each is needed.
        for kept in forgotten {
            let others: Vec<_> = forgotten.iter().copied().filter(|l| l != kept).collect();
            let oracle = Oracle::without(&others);
            assert!(
                !oracle.accepts(&run(&oracle)),
                "{what}: works although {kept:?} is appended"
            );
        }
        // The verifier that ships, and an attacker who knows its transcript.
        let forgery = run(&Oracle::without(&[]));
        let verdicts = verify_batch(&forgery.items());
        assert!(
            verdicts.iter().any(Result::is_err),
            "{what}: accepted. Is one of {forgotten:?} still appended?"
        );
    }
}

#[test]
fn every_label_has_a_case() {
    let mut world = World::new();
    let oracle = Oracle::without(&[]);
    let shown = world.show(&oracle);
    let statement = world.statement();
    let appended: BTreeSet<_> = appends(&statement, &world.context, &shown)
        .into_iter()
        .map(|(label, _)| name(label))
        .collect();
    let attacks = attacks();
    let covered: BTreeSet<_> = attacks
        .iter()
        .flat_map(|attack| attack.forgotten.iter().copied())
        .chain(IMPLIED.iter().map(|(label, _)| *label))
        .collect();
    assert_eq!(appended, covered, "label by label, an attack or a reason");
    for (label, _) in IMPLIED {
        assert!(
            !attacks
                .iter()
                .any(|attack| attack.forgotten.contains(&label))
        );
    }
}

/// The honest protocol passes, whichever appends are left out: the attacks fail for no other reason than the challenge.
#[test]
fn an_honest_show_is_accepted_with_and_without() {
    for forgotten in [&[][..], &["nonce"], &["A", "B", "C", "V"]] {
        let oracle = Oracle::without(forgotten);
        let mut world = World::new();
        let shown = world.show(&oracle);
        assert!(oracle.accepts(&world.forgery([shown])));
    }
    // And the oracle that forgets nothing is the protocol's own transcript.
    let oracle = Oracle::without(&[]);
    let mut world = World::new();
    let shown = world.show(&oracle);
    let statement = world.statement();
    let own = PresentationTranscript::new(&statement, shown.nullifier(), &world.context)
        .challenge(&shown);
    assert_eq!(own.challenge(), world.challenge(&oracle, &shown));
    assert_eq!(own.weight_seed(&shown), world.seed(&oracle, &shown));
    let batch = world.forgery([shown]);
    assert_eq!(statement_of(&batch.items()[0]), statement);
    assert!(verify_batch(&batch.items()).iter().all(Result::is_ok));
}

/// Two statements that differ in an implied element differ in another append as well.
#[test]
fn implied_labels_are_implied() {
    let mut world = World::new();
    let oracle = Oracle::without(&[]);
    let shown = world.show(&oracle);
    let statement = world.statement();
    let mut unscoped = shown.clone();
    unscoped.nullifier = None;
    let variants: [(&str, Statement, &Presentation); 5] = [
        (
            "format",
            Statement {
                format: Format::X509Rsa,
                keys: [vec![[9; 32]], statement.keys[1..].to_vec()].concat(),
                ..statement.clone()
            },
            &shown,
        ),
        (
            "relations",
            Statement {
                keys: statement.keys[..2].to_vec(),
                ..statement.clone()
            },
            &shown,
        ),
        (
            "disclosures",
            Statement {
                disclosed: vec![],
                ..statement.clone()
            },
            &shown,
        ),
        (
            "policy-inputs",
            Statement {
                policy_inputs: statement.policy_inputs[1..].to_vec(),
                ..statement.clone()
            },
            &shown,
        ),
        (
            "scoped",
            Statement {
                usage: None,
                ..statement.clone()
            },
            &unscoped,
        ),
    ];
    let without = |label: &str, statement: &Statement, shown: &Presentation| {
        let mut all = appends(statement, &world.context, shown);
        let before = all.len();
        all.retain(|(other, _)| name(other) != label);
        assert_eq!(all.len(), before - 1, "{label}");
        all
    };
    for (label, variant, presentation) in &variants {
        let whole = |statement: &Statement, shown: &Presentation| {
            appends(statement, &world.context, shown)
                .into_iter()
                .find(|(other, _)| name(other) == *label)
        };
        assert_ne!(
            whole(&statement, &shown),
            whole(variant, presentation),
            "{label}"
        );
        assert_ne!(
            without(label, &statement, &shown),
            without(label, variant, presentation),
            "{label}"
        );
    }
    let version = IMPLIED
        .iter()
        .find(|(label, _)| *label == "version")
        .unwrap();
    assert!(PROTOCOL.starts_with(b"bauta/v1/"), "{}", version.1);
    assert_eq!(variants.len() + 1, IMPLIED.len());
}

/// Errors of the pairing equations that a sum without independent weights would lose: equal in all, opposite in two. C'' is
/// free here, so nothing but the weights is in the way.
#[test]
fn errors_of_pairing_equations_do_not_cancel() {
    let oracle = Oracle::without(&["C"]);
    for errors in [[1i64, 1, 1], [1, -1, 0], [1, 0, -1], [0, 0, 1], [2, -1, -1]] {
        let mut world = World::new();
        let mut shown = world.show(&oracle);
        assert!(oracle.accepts(&world.forgery([shown.clone()])));
        let relations = world.toy.relations.clone();
        for ((proof, waste), error) in proofs_mut(&mut shown)
            .into_iter()
            .zip(relations)
            .zip(errors)
        {
            let k = Fr::from(error) * waste.delta.inverse().unwrap();
            proof.c = (proof.c + G1Affine::generator() * k).into_affine();
        }
        assert!(!oracle.accepts(&world.forgery([shown])), "{errors:?}");
    }
}
