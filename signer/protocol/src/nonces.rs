//! A node's stock of nonces for one share of a key: in memory alone, under a boot epoch drawn at random when the process starts.
//!
//! Two shares made with one nonce give the key share away. So a nonce is never written down, never copied, and leaves
//! the stock by value; a restart draws a new boot epoch, and every slot of an older one is gone with the memory that
//! held it. A machine that is copied while it runs (a snapshot resumed twice) has one store less than memories: before
//! a share leaves, the slot is recorded as burnt, and a store that holds the record already refuses it.

use std::collections::BTreeMap;

use frost_ed25519 as frost;
use rand_core::{CryptoRng, RngCore};

use crate::{
    keys::{KeyShare, array},
    messages::{Commitment, NumberedCommitment, Slot},
};

/// How many nonces a full stock holds.
pub const STOCK: usize = 64;
/// A stock below this is filled up.
pub const LOW_WATER: usize = 48;

/// One nonce, out of the stock for good. It is neither `Clone` nor serializable, and [`Nonce::sign`] consumes it.
pub struct Nonce {
    slot: Slot,
    nonces: frost::round1::SigningNonces,
}

impl Nonce {
    /// Which slot it was.
    pub fn slot(&self) -> Slot {
        self.slot
    }

    /// The signature share over `package` (RFC 9591 section 5.2): the nonce's only use.
    pub fn sign(
        self,
        package: &frost::SigningPackage,
        share: &KeyShare,
    ) -> Result<[u8; 32], frost::Error> {
        let share = frost::round2::sign(package, &self.nonces, share.package())?;
        array(&share.serialize())
    }
}

/// The unspent nonces of one share.
pub struct NonceStock {
    boot: [u8; 16],
    next: u64,
    fresh: BTreeMap<u64, (frost::round1::SigningNonces, Commitment)>,
}

impl NonceStock {
    /// An empty stock of this boot.
    pub fn new(boot: [u8; 16]) -> Self {
        Self {
            boot,
            next: 0,
            fresh: BTreeMap::new(),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.fresh.len()
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.fresh.is_empty()
    }

    /// Fills the stock up to `size`; gives the commitments that are new (RFC 9591 section 5.1, preprocessing).
    pub fn refill<R: RngCore + CryptoRng>(
        &mut self,
        share: &KeyShare,
        size: usize,
        rng: &mut R,
    ) -> Result<Vec<NumberedCommitment>, frost::Error> {
        let mut fresh = Vec::new();
        while self.fresh.len() < size {
            let (nonces, commitments) = frost::round1::commit(share.package().signing_share(), rng);
            let commitment = Commitment {
                hiding: array(&commitments.hiding().serialize()?)?,
                binding: array(&commitments.binding().serialize()?)?,
            };
            let number = self.next;
            self.next += 1;
            self.fresh.insert(number, (nonces, commitment));
            fresh.push(NumberedCommitment { number, commitment });
        }
        Ok(fresh)
    }

    /// Commitments to all unspent nonces: what a coordinator that has just connected is told.
    pub fn offered(&self) -> Vec<NumberedCommitment> {
        self.fresh
            .iter()
            .map(|(number, (_, commitment))| NumberedCommitment {
                number: *number,
                commitment: *commitment,
            })
            .collect()
    }

    /// Takes a nonce out, for good. `None`: spent, never made, or of another boot.
    pub fn take(&mut self, slot: Slot) -> Option<Nonce> {
        if slot.boot != self.boot {
            return None;
        }
        let (nonces, _) = self.fresh.remove(&slot.number)?;
        Some(Nonce { slot, nonces })
    }
}

impl core::fmt::Debug for NonceStock {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "NonceStock({} unspent)", self.fresh.len())
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

    use super::*;

    fn share(rng: &mut ChaCha20Rng) -> KeyShare {
        let (shares, _) =
            frost::keys::generate_with_dealer(3, 2, frost::keys::IdentifierList::Default, rng)
                .unwrap();
        KeyShare::new(shares.into_values().next().unwrap().try_into().unwrap())
    }

    #[test]
    fn a_nonce_is_there_once_and_in_its_own_boot_only() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let share = share(&mut rng);
        let mut stock = NonceStock::new([1; 16]);
        assert!(stock.is_empty());
        assert_eq!(stock.refill(&share, STOCK, &mut rng).unwrap().len(), STOCK);
        let slot = Slot {
            boot: [1; 16],
            number: 5,
        };
        assert!(
            stock
                .take(Slot {
                    boot: [2; 16],
                    ..slot
                })
                .is_none()
        );
        assert_eq!(stock.take(slot).unwrap().slot(), slot);
        assert!(stock.take(slot).is_none());
        // What is filled up has new numbers.
        let more = stock.refill(&share, STOCK, &mut rng).unwrap();
        assert_eq!(
            more.iter().map(|c| c.number).collect::<Vec<_>>(),
            [STOCK as u64]
        );
        assert!(stock.offered().iter().all(|c| c.number != 5));
    }
}
