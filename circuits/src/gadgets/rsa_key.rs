//! What stands for an RSA-2048 key in an origin and in a revocation handle: `bauta_statement::rsa_key` in constraints.

use ark_ff::Field;
use bauta_statement::{
    field::Fr,
    rsa_key::{PACK_LEN, PACKED, digest_domain},
};

use super::{
    natural::LIMB,
    poseidon,
    rsa::{LIMBS_2048, PublicKey},
};
use crate::system::{Lc, System};

/// Limbs in one field element.
const LIMBS: usize = 8 * PACK_LEN / LIMB as usize;

/// Poseidon(domain, the modulus by 15 limbs, the lowest first): 456 constraints.
///
/// Limbs are below 2^16, so each element is below 2^240 and stands for its limbs alone; that the modulus has its highest bit was shown
/// when the key was made.
///
/// # Panics
/// If the key has not 2,048 bits: the circuit's fault, and not what is proved.
pub fn digest(system: &mut System, key: &PublicKey) -> Lc {
    let limbs = key.modulus().limbs();
    assert_eq!(limbs.len(), LIMBS_2048, "a key of 2,048 bits");
    let packed: [Lc; PACKED] = std::array::from_fn(|element| {
        let limbs = limbs.iter().skip(LIMBS * element).take(LIMBS);
        let weights = (0..).map(|limb| Fr::from(2).pow([u64::from(LIMB) * limb]));
        Lc::combine(limbs.zip(weights))
    });
    let [a, b, c, d, e, f, g, h, i] = packed;
    let domain = Lc::constant(digest_domain());
    poseidon::hash(system, &[domain, a, b, c, d, e, f, g, h, i])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        gadgets::natural::Natural,
        hunt::{assert_determined, assert_rigid},
        system::R1cs,
    };
    use bauta_statement::rsa_key::{RsaKeyError, RsaPublicKey};
    use num_bigint::BigUint;
    use proptest::prelude::*;

    fn build(modulus: &[u8], recording: bool) -> (System, Lc) {
        let mut system = System::new(&[], recording);
        let modulus = BigUint::from_bytes_be(modulus);
        let modulus = Natural::witness(&mut system, "modulus", &modulus, LIMBS_2048);
        system.region("key");
        let key = PublicKey::new(&mut system, &modulus);
        system.region("digest");
        let digest = digest(&mut system, &key);
        (system, digest)
    }

    fn shape() -> &'static R1cs {
        static SHAPE: std::sync::LazyLock<R1cs> =
            std::sync::LazyLock::new(|| build(&[], true).0.into_r1cs());
        &SHAPE
    }

    #[test]
    fn a_digest_costs_456() {
        assert_eq!(shape().counts(), [("key", 15), ("digest", 456)]);
    }

    #[test]
    fn nothing_is_left_open() {
        let assignment = build(&[0xa7; 256], false).0.into_assignment();
        assert_determined(shape(), &assignment);
        assert_rigid(shape(), &assignment, 5);
    }

    #[test]
    fn a_modulus_without_its_highest_bit_is_refused_by_both() {
        let mut modulus = [0xff; 256];
        modulus[0] = 0x7f;
        assert_eq!(
            RsaPublicKey::from_be_bytes(&modulus),
            Err(RsaKeyError::Short)
        );
        let error = shape().check(&build(&modulus, false).0.into_assignment());
        assert_eq!(error.map_err(|error| error.region), Err("key"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn it_is_the_native_digest(mut modulus in prop::collection::vec(any::<u8>(), 256)) {
            modulus[0] |= 0x80;
            let (system, digest) = build(&modulus, false);
            let key = RsaPublicKey::from_be_bytes(&modulus).unwrap();
            prop_assert_eq!(digest.value(), key.digest());
            prop_assert_eq!(shape().check(&system.into_assignment()), Ok(()));
        }
    }
}
