//! Poseidon in constraints: three to an S-box (x², x⁴, x⁵), nothing for the linear layers, nothing for constants.

use ark_ff::AdditiveGroup;
use bauta_statement::{field::Fr, poseidon};

use crate::system::{Lc, System};

/// Poseidon of 1 to 16 inputs, as `bauta_statement::poseidon::hash`.
///
/// The capacity and whatever else is constant on entry is folded: t = 3 costs 240, t = 17 costs 609.
pub fn hash(system: &mut System, inputs: &[Lc]) -> Lc {
    let mut state = vec![Lc::constant(Fr::ZERO)];
    state.extend_from_slice(inputs);
    let Some(parameters) = poseidon::parameters(state.len()) else {
        debug_assert!(false, "Poseidon takes 1 to 16 inputs");
        return Lc::constant(Fr::ZERO);
    };
    let half = poseidon::FULL_ROUNDS / 2;
    for (round, constants) in parameters
        .round_constants
        .chunks(parameters.width)
        .enumerate()
    {
        for (element, constant) in state.iter_mut().zip(constants) {
            *element = &*element + *constant;
        }
        let partial = (half..half + parameters.partial_rounds).contains(&round);
        let boxes = if partial { 1 } else { state.len() };
        for element in state.iter_mut().take(boxes) {
            *element = fifth_power(system, element);
        }
        state = parameters
            .mds
            .iter()
            .map(|row| {
                let mut mixed = Lc::constant(Fr::ZERO);
                for (element, factor) in state.iter().zip(row) {
                    mixed.add_scaled(element, *factor);
                }
                mixed
            })
            .collect();
    }
    state.swap_remove(0)
}

fn fifth_power(system: &mut System, x: &Lc) -> Lc {
    let square = system.product(x, x);
    let fourth = system.product(&square, &square);
    system.product(&fourth, x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rank;

    #[test]
    fn equals_the_native_hash_at_the_published_cost() {
        for (inputs, cost) in [(2, 240), (3, 261), (4, 297), (5, 321), (8, 402), (16, 609)] {
            let values: Vec<Fr> = (0..inputs).map(|i| Fr::from(1000 + i as u64)).collect();
            let mut system = System::new(&values, true);
            let wires: Vec<Lc> = (0..inputs).map(|i| system.instance(i)).collect();
            let result = hash(&mut system, &wires);
            let native = match inputs {
                2 => poseidon::hash::<2>(values.as_slice().try_into().unwrap()),
                3 => poseidon::hash::<3>(values.as_slice().try_into().unwrap()),
                4 => poseidon::hash::<4>(values.as_slice().try_into().unwrap()),
                5 => poseidon::hash::<5>(values.as_slice().try_into().unwrap()),
                8 => poseidon::hash::<8>(values.as_slice().try_into().unwrap()),
                _ => poseidon::hash::<16>(values.as_slice().try_into().unwrap()),
            };
            assert_eq!(result.value(), native);
            // As many constraints as unknowns and of full rank: without any one of them some variable is free.
            let shape = system.into_r1cs();
            assert_eq!(
                (shape.rows.len(), shape.witnesses),
                (cost, cost),
                "{inputs} inputs"
            );
            let mut values_only = System::new(&values, false);
            let wires: Vec<Lc> = (0..inputs).map(|i| values_only.instance(i)).collect();
            hash(&mut values_only, &wires);
            rank::assert_determined(&shape, &values_only.into_assignment());
        }
    }
}
