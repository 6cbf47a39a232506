//! Readers, values, slots and what is behind an identifier, each with free inputs.

use super::*;

pub(super) fn all() -> Vec<Case> {
    vec![
        rule(),
        choice(),
        a_value(),
        contents(),
        looked_for(),
        is_critical(),
        chosen_slots(),
        filled_slots(),
        finished_slots(),
    ]
}

fn rule() -> Case {
    Gadget {
        name: "reader::new",
        variant: String::new(),
        inputs: |seed| {
            let rules = [
                subject(5, Text, O).rule(),
                nth(subject(5, Integer, &[0x2a; 27]), 254).rule(),
                from_name(5, SanKind::Dns).rule(),
                Fr::ZERO,
            ];
            let rule = rules[seed as usize % 4];
            (vec![Fr::from(rule != Fr::ZERO), rule], rule)
        },
        build: |system, inputs, rule| {
            let found = Rule::new(system, *rule, &inputs[0]);
            system.enforce_equal(&found.whole, &inputs[1]);
        },
        forgeries: none,
    }
    .case()
}

/// Candidates, a rule's key and its occurrence.
fn choice() -> Case {
    let case = plain(
        "reader::choose",
        "5 candidates",
        |seed| {
            let keys: [u64; 5] = [7, 9, 7, 8, 7];
            let (key, occurrence) = [
                (9, 0),
                (7, 1),
                (7, 2),
                (7, 3),
                (7, 4),
                (6, 0),
                (8, 1),
                (6, 255),
            ][seed as usize % 8];
            let inputs = keys.into_iter().chain([key, occurrence]);
            (inputs.map(Fr::from).collect(), ())
        },
        |system, inputs, ()| {
            let candidates: Vec<Candidate> = inputs[..5].iter().map(candidate).collect();
            let rule = Rule {
                whole: constant(0),
                text: constant(0),
                key: inputs[5].clone(),
                occurrence: inputs[6].clone(),
            };
            reader::choose(system, &rule, &candidates.iter().collect::<Vec<_>>());
        },
    );
    made_of(case, &[EITHER])
}

fn candidate(key: &Lc) -> Candidate {
    Candidate {
        key: key.clone(),
        place: key.clone(),
    }
}

/// Octets and, last, what is asked: text, found, name, extension.
fn a_value() -> Case {
    let case = plain(
        "value::value",
        "",
        |seed| {
            let (octets, asked): (&[u8], [u64; 4]) = [
                (&[0x0c, 3, b'A', b'd', b'a', 0, 7][..], [1, 1, 0, 0]),
                (&[0x13, 2, b'1', b'0', b'x'], [0, 1, 0, 0]),
                (&[0x02, 2, 0, 0x80, 9], [0, 1, 0, 1]),
                (&[0x81, 40, b'x'], [1, 1, 1, 0]),
                (&[0x30, 0x82, 0, 5], [0, 0, 0, 0]),
                (&[0x16, 64, b'x'], [1, 1, 0, 1]),
                (&[0x82, 1, b'0'], [0, 1, 1, 0]),
                (&[0x02, 1, 0], [0, 1, 0, 1]),
            ][seed as usize % 8];
            let mut all = octets.to_vec();
            all.resize(66, b'x');
            let bytes = all.into_iter().map(u64::from).chain(asked);
            (bytes.map(Fr::from).collect(), ())
        },
        |system, inputs, ()| {
            let (octets, asked) = inputs.split_at(66);
            let bits = octets.iter().map(|octet| compare::bits(system, octet, 8));
            let bits = bits.collect();
            let octets = Window::of(octets.to_vec(), bits);
            let [text, found, name, extension] = [0, 1, 2, 3].map(|index| &asked[index]);
            value(
                system,
                &octets,
                &Asked {
                    text,
                    found,
                    name,
                    extension,
                },
            );
        },
    );
    made_of(case, &[EITHER, PRODUCTS, ZERO])
}

/// The octets behind an identifier.
fn contents() -> Case {
    let case = plain(
        "extensions::contents",
        "",
        |seed| {
            let octets: [u8; 7] = [
                [4, 5, 0, 9, 9, 9, 9],
                [1, 1, 0xff, 4, 5, 0, 9],
                [1, 1, 0xff, 4, 0x81, 0x85, 9],
                [4, 0x82, 1, 9, 9, 9, 9],
            ][seed as usize % 4];
            (octets.into_iter().map(Fr::from).collect(), ())
        },
        |system, inputs, ()| {
            let bits = inputs.iter().map(|octet| compare::bits(system, octet, 8));
            let bits = bits.collect();
            extensions::contents(system, &Window::of(inputs.to_vec(), bits), &constant(0));
        },
    );
    made_of(case, &[OCTETS, EITHER, PRODUCTS, HEADERS])
}

fn some(inputs: &[Lc]) -> Vec<Extension> {
    let all = inputs.chunks(3).map(|inputs| Extension {
        candidate: Candidate {
            key: inputs[0].clone(),
            place: inputs[1].clone(),
        },
        end: inputs[2].clone(),
        critical: constant(0),
    });
    all.collect()
}

fn looked_for() -> Case {
    let case = plain(
        "attributes::find",
        "3 extensions",
        |seed| {
            let here = Fr::from(2) + Fr::from(1u64 << 16) * packed(&[0x2a]);
            let mut all: Vec<Fr> = (10..19u64).map(Fr::from).collect();
            if seed % 4 < 3 {
                all[3 * (seed as usize % 4)] = here;
            }
            (all, ())
        },
        |system, inputs, ()| {
            find(system, &some(inputs), &[0x2a]);
        },
    );
    made_of(case, &[EITHER])
}

fn is_critical() -> Case {
    plain(
        "attributes::critical",
        "",
        |seed| {
            let inputs = [[0u64, 0], [1, 1], [0, 2], [1, 3]][seed as usize % 4];
            (inputs.map(Fr::from).to_vec(), ())
        },
        |system, inputs, ()| critical(system, &inputs[0], &inputs[1]),
    )
}

fn chosen_slots() -> Case {
    let case = Gadget {
        name: "attributes::choose",
        variant: String::new(),
        inputs: |seed| {
            let slot = (seed % 4 > 0).then_some(4 + seed as u8 % 12);
            let slot = slot.filter(|slot| *slot > 4);
            let inputs = (5..=15u8).map(|other| Fr::from(slot == Some(other)));
            (inputs.collect(), slot)
        },
        build: |system, inputs, slot| {
            let (chosen, _) = Slots::new().choose(system, *slot);
            for (chosen, input) in chosen.iter().zip(inputs) {
                system.enforce_equal(chosen, input);
            }
        },
        forgeries: none,
    }
    .case();
    made_of(case, &[EITHER])
}

fn filled_slots() -> Case {
    plain(
        "attributes::put",
        "",
        |seed| (random(seed, 13), ()),
        |system, inputs, ()| {
            let (chosen, rest) = inputs.split_at(11);
            Slots::new().put(system, chosen, &rest[0], &rest[1]);
        },
    )
}

fn finished_slots() -> Case {
    let case = Gadget {
        name: "attributes::finish",
        variant: String::new(),
        inputs: |seed| {
            let slots = (seed % 3 > 0).then_some(5).into_iter();
            let slots: Vec<u8> = slots.chain((seed % 3 > 1).then_some(9)).collect();
            let inputs = (5..=15u8).map(|other| Fr::from(slots.contains(&other)));
            (inputs.collect(), slots)
        },
        build: |system, inputs, slots| {
            let mut all = Slots::new();
            let mut sum: Vec<Lc> = Vec::new();
            for reader in 0..2 {
                let (chosen, _) = all.choose(system, slots.get(reader).copied());
                match sum.is_empty() {
                    true => sum = chosen,
                    false => sum
                        .iter_mut()
                        .zip(&chosen)
                        .for_each(|(sum, c)| *sum = &*sum + c),
                }
            }
            for (sum, input) in sum.iter().zip(inputs) {
                system.enforce_equal(sum, input);
            }
            all.finish(system);
        },
        forgeries: none,
    }
    .case();
    made_of(case, &[EITHER])
}
