//! Makes the good vectors: one holder's credential under several policies, with real proofs under the development
//! parameters; and the one forgery that needs a key of its own. Everything from fixed seeds.

use std::collections::BTreeMap;
use std::path::Path;

use ark_bn254::{Bn254, Fr, G1Affine, G1Projective};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::UniformRand;
use ark_groth16::ProvingKey;
use bauta_circuits::Circuit;
use bauta_circuits::nullifier::NullifierWitness;
use bauta_circuits::policy::PolicyWitness;
use bauta_circuits::possession::native::NativeWitness;
use bauta_prover::keys::{HolderKeys, Prover, Tables};
use bauta_prover::prepare::{native_witness, policy_witness};
use bauta_prover::prove::{RelationProof, prove};
use bauta_prover::show::{Holding, Prepared, SlotMap};
use bauta_statement::credential::{HolderSecret, IssuedCredential, NativeCredential};
use bauta_statement::eddsa::SigningKey;
use bauta_statement::field;
use bauta_statement::group::Pedersen;
use bauta_statement::policy::{EpochRoots, Literal, Policy, Test};
use bauta_statement::presentation::{Opening, Presentation, Statement};
use bauta_statement::relation::{Relation, nullifier};
use bauta_statement::scope::{period_start, scope};
use bauta_statement::tree::{ISSUER_SET_DEPTH, QuaternaryTree, RevocationTree, VALUE_SET_DEPTH};
use bauta_statement::vector::{AttributeValue, Format, ORIGIN};
use bauta_statement::verifying_key::VerifyingKey;
use serde_json::{Value, json};

use crate::format::{ContextBytes, EpochData, Expected, KeyBytes, Vector, hex, unhex};
use crate::testing::{Draft, Proof, masks, rng};

/// Inside an epoch of an hour.
const START: u64 = 1_800_000_000;
const END: u64 = START + 3_600;
const TIME: u64 = START + 1_234;

fn parameters<C: Circuit>() -> ProvingKey<Bn254> {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR"));
    bauta_setup::load_or_make(cache, C::RELATION, &mut |_| ())
        .unwrap()
        .into_proving_key()
}

/// The maker of vectors: parameters, the holder's credential, its proof of possession.
pub(crate) struct Maker {
    policy: Prover<PolicyWitness>,
    nullifier: Prover<NullifierWitness>,
    keys: [VerifyingKey; 3],
    credential: NativeCredential,
    possession: RelationProof,
}

/// A presentation made wrong, by someone who knows the witness.
pub(crate) struct Cheat {
    pub(crate) name: &'static str,
    description: &'static str,
    /// The equations of the specification's section 9 that fail, each with the proof's or the disclosure's place.
    pub(crate) fails: &'static [(u8, usize)],
    before: fn(&mut Vector),
    draft: fn(&mut Draft),
}

/// What the holder of a credential from Arsenale pretends.
const LIE: &str = "Rialto";

/// The challenge is the right one in all of these: only the equations named are in the way.
pub(crate) fn cheats() -> Vec<Cheat> {
    fn lie() -> Fr {
        AttributeValue::Text(LIE.into()).to_field()
    }
    fn commit_to_lie(draft: &mut Draft) {
        let blinding = draft.blindings[0].blinding;
        draft.presentation.disclosures[0].commitment = Pedersen::get().commit(&lie(), &blinding);
    }
    vec![
        Cheat {
            name: "bad_groth16_possession",
            description: "C'' + G₁ in the possession proof, under the challenge: equation (1) alone fails.",
            fails: &[(1, 0)],
            before: |_| (),
            draft: |d| {
                let c = &mut d.presentation.possession.c;
                *c = (*c + G1Affine::generator()).into_affine();
            },
        },
        Cheat {
            name: "bad_groth16_policy",
            description: "2A' in the policy proof, under the challenge: equation (1) alone fails.",
            fails: &[(1, 1)],
            before: |_| (),
            draft: |d| {
                let a = &mut d.presentation.policy.a;
                *a = (*a + *a).into_affine();
            },
        },
        Cheat {
            name: "bad_groth16_nullifier",
            description: "another nullifier, under the challenge: equation (1) of the nullifier relation alone fails.",
            fails: &[(1, 2)],
            before: |_| (),
            draft: |d| d.presentation.nullifier.as_mut().unwrap().nullifier += Fr::from(1u64),
        },
        Cheat {
            name: "bad_groth16_next_epoch",
            description: "shown for the next epoch with this epoch's policy proof: equation (1) alone fails.",
            fails: &[(1, 1)],
            before: |v| {
                v.epoch.start += 3_600;
                v.epoch.end += 3_600;
            },
            draft: |_| (),
        },
        Cheat {
            name: "bad_groth16_revoked",
            description: "shown after the holder's handle was revoked, with the old policy proof: equation (1) alone fails.",
            fails: &[(1, 1)],
            before: |v| v.epoch.revoked.push(5_000),
            draft: |_| (),
        },
        Cheat {
            name: "bad_false_disclosure",
            description: "a false text is disclosed, and answered for as if slot 5 held it: (2) fails, (1) and (3) hold.",
            fails: &[(2, 0), (2, 1)],
            before: |_| (),
            draft: |d| {
                commit_to_lie(d);
                d.vector[5] = lie();
            },
        },
        Cheat {
            name: "bad_false_commitment",
            description: "the commitment holds a false text, and slot 5 is answered for truly: (3) alone fails.",
            fails: &[(3, 0)],
            before: |_| (),
            draft: commit_to_lie,
        },
        Cheat {
            name: "bad_other_secret",
            description: "the response for x₁ is of another secret: (2) of possession and nullifier fail.",
            fails: &[(2, 0), (2, 2)],
            before: |_| (),
            draft: |d| d.vector[1] += Fr::from(1u64),
        },
    ]
}

/// What differs from one good vector to the next.
struct Story {
    name: &'static str,
    description: &'static str,
    format: Format,
    policy: Value,
    /// Origins beside the holder's own, before and after it.
    others: (u64, u64),
    revoked: Vec<u64>,
    /// Which use of the scope, if there is one.
    counter: u32,
}

impl Maker {
    pub(crate) fn new() -> Self {
        let native = Prover::<NativeWitness>::new(parameters::<NativeWitness>()).unwrap();
        let policy = Prover::<PolicyWitness>::new(parameters::<PolicyWitness>()).unwrap();
        let nullifier = Prover::<NullifierWitness>::new(parameters::<NullifierWitness>()).unwrap();
        let keys = [
            native.verifying_key(),
            policy.verifying_key(),
            nullifier.verifying_key(),
        ]
        .map(Clone::clone);
        let mut rng = rng(1);
        let issuer = SigningKey::generate(&mut rng);
        let holder = HolderSecret::generate(&mut rng);
        let commitment = holder.commitment();
        let text = |text: &str| AttributeValue::Text(text.into());
        let mut attributes = std::array::from_fn(|_| AttributeValue::Absent);
        attributes[0] = text("Arsenale");
        attributes[1] = AttributeValue::Integer(3);
        attributes[2] = text("carpenter");
        attributes[4] = text("carpenter");
        attributes[5] = AttributeValue::Integer(u64::MAX);
        attributes[6] = text("Fondamenta de l’Osmarin 4977/a, Castello, Venezia");
        attributes[7] = AttributeValue::Integer(0);
        let credential = IssuedCredential::sign(
            &issuer,
            &mut rng,
            Fr::from(8u64),
            START - 1_000_000,
            START + 1_000_000,
            5_000,
            attributes,
            commitment,
        )
        .accept(holder)
        .unwrap();
        let possession = prove(&native, &native_witness(&credential), &mut rng).unwrap();
        Self {
            policy,
            nullifier,
            keys,
            credential,
            possession,
        }
    }

    /// All good vectors, by name, and the forgery under a key with γ = δ.
    pub(crate) fn make(&self) -> BTreeMap<String, Vector> {
        let mut vectors = BTreeMap::new();
        for (index, story) in stories().iter().enumerate() {
            let (vector, proofs) = self.tell(story);
            if index == 0 {
                vectors.extend(self.cheat(&vector, &proofs));
            }
            vectors.insert(format!("good_{}", story.name), vector);
        }
        vectors.insert("bad_key_gamma_is_delta".into(), self.forge());
        vectors
    }

    fn context(&self, seed: u8) -> ContextBytes {
        ContextBytes {
            policy_digest: hex(&[seed; 32]),
            nonce: hex(&std::array::from_fn::<u8, 32, _>(|i| i as u8 ^ seed)),
            expiry: TIME + 120,
            trust_domain: "example.org".into(),
            ca_name: "Bauta – Ca’ d’Oro".into(),
            log_origin: "log.example.org/2027h1".into(),
            spki_sha256: hex(&[seed ^ 0xff; 32]),
        }
    }

    fn key_bytes(&self, format: Format) -> KeyBytes {
        let [possession, policy, nullifier] = &self.keys;
        KeyBytes {
            possession: BTreeMap::from([(format.code().to_string(), hex(&possession.encode()))]),
            policy: hex(&policy.encode()),
            nullifier: hex(&nullifier.encode()),
        }
    }

    fn tell(&self, story: &Story) -> (Vector, Vec<Proof>) {
        let mut rng = rng(100 + u64::from(story.counter) + story.name.len() as u64);
        let policy: Policy = serde_json::from_value(story.policy.clone()).unwrap();
        let vector = self.credential.vector();
        let origins: Vec<Fr> = (0..story.others.0)
            .map(|i| Fr::from(1_000 + i))
            .chain([vector.get(ORIGIN)])
            .chain((0..story.others.1).map(|i| Fr::from(2_000 + i)))
            .collect();
        let issuers = QuaternaryTree::of_members(&origins, ISSUER_SET_DEPTH).unwrap();
        let mut revoked = RevocationTree::new();
        revoked.extend(&story.revoked).unwrap();
        let roots = EpochRoots {
            start: START,
            end: END,
            issuer_root: issuers.root(),
            revocation_root: revoked.root(),
        };
        let public = policy.public(&roots);
        let operands = policy.slot_map();
        let sets: Vec<_> = policy
            .places()
            .iter()
            .take(2)
            .map(|place| match place.map(|place| &place.test) {
                Some(Test::OneOf(values)) => {
                    let values: Vec<Fr> = values.iter().map(Literal::to_field).collect();
                    Some(QuaternaryTree::of_members(&values, VALUE_SET_DEPTH).unwrap())
                }
                _ => None,
            })
            .collect();
        let witness = policy_witness(
            &vector,
            &operands,
            &public,
            &issuers,
            &revoked,
            [sets[0].as_ref(), sets[1].as_ref()],
        )
        .unwrap();
        let policy_proof = prove(&self.policy, &witness, &mut rng).unwrap();
        let context = self.context(story.name.len() as u8);
        let used = policy.scope.as_ref().map(|counted| {
            let scope = scope(
                &context.trust_domain,
                &counted.name,
                period_start(TIME, counted.period_seconds),
            );
            let secret = self.credential.holder().secret;
            let witness = NullifierWitness::new(secret, scope, story.counter, counted.bound);
            prove(&self.nullifier, &witness, &mut rng).unwrap()
        });
        let [possession_key, policy_key, nullifier_key] = self.keys.clone();
        let holder_keys = HolderKeys::new(
            &[(story.format, possession_key)],
            &policy_key,
            &nullifier_key,
            Tables::None,
        )
        .unwrap();
        let mut holding = Holding::from(&self.credential);
        holding.format = story.format;
        // Of whatever format, the same rows: what is shown of it is what is tried here.
        let possession = RelationProof {
            relation: Relation::possession(story.format).unwrap(),
            ..self.possession.clone()
        };
        let (presentation, openings) = Prepared::new(
            &holder_keys,
            holding,
            &possession,
            &policy_proof,
            used.as_ref(),
            SlotMap::from(&policy),
        )
        .unwrap()
        .show(&mut rng, &holder_keys, &context.to_context())
        .unwrap();
        let proofs = [Some(&self.possession), Some(&policy_proof), used.as_ref()];
        let proofs = proofs.into_iter().flatten().map(|proof| Proof {
            a: proof.a,
            b: proof.b,
            c: proof.c,
        });
        (
            self.vector(story, &origins, context, &presentation, &openings),
            proofs.collect(),
        )
    }

    /// Presentations whose maker knows the witness and cheats before the challenge is drawn, so that some equations hold and
    /// others do not.
    fn cheat(&self, good: &Vector, proofs: &[Proof]) -> BTreeMap<String, Vector> {
        cheats()
            .into_iter()
            .map(|cheat| {
                let mut rng = rng(300);
                let mut vector = good.clone();
                (cheat.before)(&mut vector);
                let prepared = vector.prepare().unwrap();
                let statement = prepared
                    .verifier
                    .statement(Format::Native, prepared.usage)
                    .unwrap();
                let shown = Presentation::decode(&unhex(&good.presentation)).unwrap();
                let mask = masks(&mut rng);
                let mut draft = Draft::new(
                    &self.keys.iter().collect::<Vec<_>>(),
                    &statement,
                    &self.credential.vector().0,
                    proofs,
                    shown.nullifier().copied(),
                    mask,
                    &mut rng,
                );
                (cheat.draft)(&mut draft);
                let presentation = draft.show(&statement, &prepared.context);
                let mut openings = Opening::decode_list(&unhex(&good.openings)).unwrap();
                openings[0].blinding = draft.blindings[0].blinding;
                if draft.vector[5] != self.credential.vector().0[5] {
                    openings[0].value = AttributeValue::Text(LIE.into());
                }
                vector.description = cheat.description.into();
                vector.presentation = hex(&presentation.encode());
                vector.openings = hex(&Opening::encode_list(&openings));
                vector.expected = Expected {
                    valid: false,
                    reason: Some("unproven".into()),
                    nullifier: None,
                    disclosed: Vec::new(),
                };
                vector.computed = None;
                (cheat.name.into(), vector)
            })
            .collect()
    }

    fn vector(
        &self,
        story: &Story,
        origins: &[Fr],
        context: ContextBytes,
        presentation: &Presentation,
        openings: &[Opening],
    ) -> Vector {
        let mut vector = Vector {
            description: story.description.into(),
            keys: self.key_bytes(story.format),
            formats: vec![story.format.code()],
            policy: story.policy.clone(),
            epoch: EpochData {
                start: START,
                end: END,
                origins: origins.iter().map(|o| hex(&field::to_bytes(o))).collect(),
                revoked: story.revoked.clone(),
            },
            time: TIME,
            context,
            presentation: hex(&presentation.encode()),
            openings: hex(&Opening::encode_list(openings)),
            expected: Expected {
                valid: true,
                reason: None,
                nullifier: None,
                disclosed: Vec::new(),
            },
            computed: None,
        };
        vector.expected = vector.verdict().unwrap();
        vector.computed = Some(vector.compute().unwrap());
        vector
    }

    /// The forgery that γ = δ allows: the holder's policy proof is A = α, B = β, C = −(L₀ + Σ pₖLₖ + V), for a policy that the
    /// credential does not meet. All equations hold; only the check of the key is in the way.
    fn forge(&self) -> Vector {
        let mut rng = rng(7);
        let story = Story {
            policy: json!({
                "name": "masters", "issuer_set": "guilds", "schema": "guilds", "unbounded": true,
                "predicates": [{ "attribute": "level", "slot": 6, "type": "integer", "at_least": 1_000 }],
            }),
            description: "The policy relation's key has δ = 1 = γ, and with it a policy is proved that the credential does not \
                meet (level 3, where 1000 is asked): A = α, B = β, C = −(L₀ + Σ pₖLₖ + V). Every equation holds.",
            others: (0, 0),
            ..stories().remove(0)
        };
        let policy: Policy = serde_json::from_value(story.policy.clone()).unwrap();
        let vector = self.credential.vector();
        let origins = [vector.get(ORIGIN)];
        let mut revoked = RevocationTree::new();
        revoked.extend(&story.revoked).unwrap();
        let inputs = policy
            .public(&EpochRoots {
                start: START,
                end: END,
                issuer_root: bauta_statement::tree::members_root(&origins, ISSUER_SET_DEPTH)
                    .unwrap(),
                revocation_root: revoked.root(),
            })
            .to_inputs();
        let mut keys = self.keys.clone();
        let weak = &mut keys[1];
        (weak.delta_g1, weak.delta_g2) =
            (crate::testing::g1(1.into()), crate::testing::g2(1.into()));
        let statement = Statement {
            format: Format::Native,
            keys: keys[..2].iter().map(VerifyingKey::digest).collect(),
            operands: policy.slot_map(),
            disclosed: Vec::new(),
            policy_inputs: inputs.clone(),
            usage: None,
        };
        let possession = Proof {
            a: self.possession.a,
            b: self.possession.b,
            c: self.possession.c,
        };
        let weak = &keys[1];
        let placeholder = possession;
        let mask = masks(&mut rng);
        let mut draft = Draft::new(
            &[&keys[0], weak],
            &statement,
            &vector.0,
            &[possession, placeholder],
            None,
            mask,
            &mut rng,
        );
        let known: G1Projective = weak.known_part(8, &inputs).unwrap().into();
        let forged = &mut draft.presentation.policy;
        let r = Fr::rand(&mut rng);
        forged.a = (weak.alpha_g1 * r).into_affine();
        forged.b = (weak.beta_g2 * (Fr::from(1u64) / r)).into_affine();
        let c: G1Affine = (-(known + forged.v)).into_affine();
        forged.c = c;
        let context = self.context(99);
        let presentation = draft.show(&statement, &context.to_context());
        Vector {
            description: story.description.into(),
            keys: KeyBytes {
                possession: BTreeMap::from([("1".into(), hex(&keys[0].encode()))]),
                policy: hex(&keys[1].encode()),
                nullifier: hex(&keys[2].encode()),
            },
            formats: vec![1],
            policy: story.policy,
            epoch: EpochData {
                start: START,
                end: END,
                origins: origins.iter().map(|o| hex(&field::to_bytes(o))).collect(),
                revoked: story.revoked,
            },
            time: TIME,
            context,
            presentation: hex(&presentation.encode()),
            openings: "00".into(),
            expected: Expected {
                valid: false,
                reason: Some("key-gamma-is-delta".into()),
                nullifier: None,
                disclosed: Vec::new(),
            },
            computed: None,
        }
    }

    /// The nullifier of the first story's use, as `relations.md` defines it.
    pub(crate) fn expected_nullifier(&self, scope: Fr) -> Fr {
        nullifier(self.credential.holder().secret, scope, 2)
    }
}

fn stories() -> Vec<Story> {
    let text =
        |attribute: &str, slot: u8| json!({ "attribute": attribute, "slot": slot, "type": "text" });
    let number = |attribute: &str, slot: u8| json!({ "attribute": attribute, "slot": slot, "type": "integer" });
    let with = |mut base: Value, test: &str, value: Value, any_of: bool| {
        base[test] = value;
        if any_of {
            base["any_of"] = true.into();
        }
        base
    };
    let base = |name: &str| json!({ "name": name, "issuer_set": "guilds", "schema": "guilds" });
    let policy =
        |name: &str, predicates: Vec<Value>, disclose: Vec<Value>, scope: Option<Value>| {
            let mut policy = base(name);
            policy["predicates"] = predicates.into();
            policy["disclose"] = disclose.into();
            match scope {
                Some(scope) => policy["scope"] = scope,
                None => policy["unbounded"] = true.into(),
            }
            policy
        };
    let every_slot: Vec<Value> = (5..=15u8)
        .map(|slot| {
            let kind = if [6, 10, 12].contains(&slot) {
                "integer"
            } else {
                "text"
            };
            json!({ "attribute": format!("a{slot}"), "slot": slot, "type": kind })
        })
        .collect();
    vec![
        Story {
            name: "scope_one_disclosure",
            description: "Three proofs, a value set, an any-of group of two, one disclosed text.",
            format: Format::Native,
            policy: policy(
                "arsenal",
                vec![
                    with(number("level", 6), "at_least", json!(7), true),
                    with(text("trade", 7), "equals", json!("carpenter"), true),
                    with(
                        text("house", 5),
                        "one_of",
                        json!(["Rialto", "Arsenale"]),
                        false,
                    ),
                ],
                vec![text("house", 5)],
                Some(json!({ "name": "keys", "period_seconds": 86_400, "bound": 5 })),
            ),
            others: (1, 0),
            revoked: vec![77, 1_000_000, 3_000],
            counter: 2,
        },
        Story {
            name: "no_scope_no_disclosure",
            description: "Two proofs, nothing disclosed; not-equals, interval, at-most and equals, of which two are any-of.",
            format: Format::Native,
            policy: policy(
                "journeymen",
                vec![
                    with(number("level", 6), "not_equals", json!(4), false),
                    with(number("level", 6), "between", json!([2, 5]), false),
                    with(number("debts", 12), "at_most", json!(0), true),
                    with(text("trade", 7), "equals", json!("mason"), true),
                ],
                vec![],
                None,
            ),
            others: (3, 9),
            revoked: vec![],
            counter: 0,
        },
        Story {
            name: "two_value_sets",
            description: "Both value sets (texts, integers), not-equals over a text, the greatest integer; three disclosures in an \
                order of the policy's own, one of them absent; the last use of the scope; many revoked handles.",
            format: Format::Native,
            policy: policy(
                "sets",
                vec![
                    with(text("trade", 7), "not_equals", json!("mason"), false),
                    with(
                        number("level", 6),
                        "one_of",
                        json!([1, 2, 3, 5, 8, 13]),
                        false,
                    ),
                    with(number("number", 10), "at_least", json!(u64::MAX), false),
                    with(
                        text("address", 11),
                        "one_of",
                        json!(["Fondamenta de l’Osmarin 4977/a, Castello, Venezia"]),
                        false,
                    ),
                ],
                vec![
                    text("address", 11),
                    text("nothing", 8),
                    number("number", 10),
                ],
                Some(
                    json!({ "name": "votes.2027", "period_seconds": 31_622_400, "bound": 4_294_967_295u32 }),
                ),
            ),
            others: (0, 20),
            revoked: (0..40u64)
                .map(|i| 1 + (i * 7_919) % 4_999)
                .chain([u64::MAX - 1])
                .collect(),
            counter: 4_294_967_294,
        },
        Story {
            name: "all_disclosed",
            description: "No predicate; all eleven attributes disclosed.",
            format: Format::Native,
            policy: policy("open-book", vec![], every_slot, None),
            others: (0, 0),
            revoked: vec![1, 4_999, 5_001],
            counter: 0,
        },
        Story {
            name: "x509_format",
            description: "Format byte 2. No relation for X.509 credentials exists yet: the native relation's key stands in for it, \
                which is sound for what this vector tests, that the byte picks the key and is under the challenge.",
            format: Format::X509Rsa,
            policy: policy(
                "certified",
                vec![with(text("trade", 7), "equals", json!("carpenter"), false)],
                vec![],
                None,
            ),
            others: (0, 1),
            revoked: vec![9],
            counter: 0,
        },
    ]
}
