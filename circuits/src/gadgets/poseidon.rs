//! Poseidon in constraints: three to an S-box (x², x⁴, x⁵), nothing for the linear layers, nothing for constants.

use ark_ff::AdditiveGroup;
use bauta_statement::{field::Fr, poseidon};

use crate::system::{Lc, System};

/// Poseidon of 1 to 16 inputs, as `bauta_statement::poseidon::hash`.
///
/// The capacity and whatever else is constant on entry is folded: t = 3 costs 240, t = 17 costs 609.
pub fn hash<const N: usize>(system: &mut System, inputs: &[Lc; N]) -> Lc {
    const {
        assert!(
            N >= 1 && N < poseidon::MAX_WIDTH,
            "Poseidon takes 1 to 16 inputs"
        )
    };
    let mut state = vec![Lc::constant(Fr::ZERO)];
    state.extend_from_slice(inputs);
    // There are parameters for every width that the assertion lets pass.
    let Some(parameters) = poseidon::parameters(N + 1) else {
        return state.swap_remove(0);
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

pub(crate) fn fifth_power(system: &mut System, x: &Lc) -> Lc {
    let square = system.product(x, x);
    let fourth = system.product(&square, &square);
    system.product(&fourth, x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hunt;

    fn check<const N: usize>(cost: usize) {
        let values: [Fr; N] = std::array::from_fn(|i| Fr::from(1000 + i as u64));
        let build = |recording| {
            let mut system = System::new(&values, recording);
            let wires: [Lc; N] = std::array::from_fn(|i| system.instance(i));
            assert_eq!(hash(&mut system, &wires).value(), poseidon::hash(&values));
            system
        };
        let shape = build(true).into_r1cs();
        // As many constraints as unknowns and of full rank: without any one of them some variable is free.
        assert_eq!(
            (shape.rows.len(), shape.witnesses),
            (cost, cost),
            "{N} inputs"
        );
        hunt::assert_determined(&shape, &build(false).into_assignment());
    }

    #[test]
    fn equals_the_native_hash_at_the_published_cost() {
        check::<1>(213);
        check::<2>(240);
        check::<3>(261);
        check::<4>(297);
        check::<5>(321);
        check::<8>(402);
        check::<16>(609);
    }
}
