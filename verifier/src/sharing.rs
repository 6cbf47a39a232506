//! The public side of a CA key's shares, from what its makers committed to: a function of the transcript
//! ([`bauta_statement::run`]) alone, so that nodes, ledger and auditors compute the same.
//!
//! - *Key generation* (Pedersen, as frost-core has it; RFC 9591 names the family): each participant commits to a polynomial
//!   of degree t−1 and proves that it knows its constant term; the group key is the sum of the constant terms.
//! - *Resharing* (Desmedt and Jajodia 1997; Wong, Wang and Wing 2002): each of t dealers commits to a polynomial of degree
//!   t′−1 whose constant term is λᵢ times its published verifying share.

use std::collections::{BTreeMap, BTreeSet};

use bauta_statement::run::DkgRound1;
use frost_ed25519::{self as frost, Identifier, keys::VerifyingShare};

/// A Feldman commitment to a polynomial.
pub type Commitment = frost::keys::VerifiableSecretSharingCommitment;
/// Commitments by the names of those who made them.
pub type Commitments = BTreeMap<String, Commitment>;

/// Why no sharing follows from these messages.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SharingError {
    /// One member's message is wrong.
    #[error("{name} misbehaved: {what}")]
    Member {
        /// Who.
        name: String,
        /// How.
        what: &'static str,
    },
    /// Not one message from each who must commit.
    #[error("not one message from each who must commit")]
    Members,
    /// Numbers that do not fit together.
    #[error("{0}")]
    Parameters(String),
}

fn wrong(name: &str, what: &'static str) -> SharingError {
    SharingError::Member {
        name: name.to_owned(),
        what,
    }
}

fn parameters(error: frost::Error) -> SharingError {
    SharingError::Parameters(error.to_string())
}

/// The FROST identifier of this number.
///
/// # Errors
/// [`SharingError::Parameters`] for the number 0.
pub fn identifier(number: u16) -> Result<Identifier, SharingError> {
    Identifier::try_from(number).map_err(parameters)
}

/// The FROST identifiers of these numbers.
///
/// # Errors
/// [`SharingError::Parameters`] for the number 0.
pub fn identifiers(
    numbers: impl IntoIterator<Item = u16>,
) -> Result<BTreeSet<Identifier>, SharingError> {
    numbers.into_iter().map(identifier).collect()
}

fn has_degree(commitment: &Commitment, threshold: u16) -> bool {
    commitment.coefficients().len() == usize::from(threshold)
}

/// The commitments of a key generation, each with the right degree and its proof of knowledge checked: `participants` by
/// number and name.
///
/// # Errors
/// [`SharingError`].
pub fn generated<'a>(
    participants: impl IntoIterator<Item = (u16, &'a str)>,
    threshold: u16,
    round1: &[DkgRound1],
) -> Result<Commitments, SharingError> {
    let participants: BTreeMap<&str, u16> = participants
        .into_iter()
        .map(|(number, name)| (name, number))
        .collect();
    let mut all = Commitments::new();
    for message in round1 {
        let name = &message.name;
        let number = participants
            .get(name.as_str())
            .ok_or(SharingError::Members)?;
        let package = frost::keys::dkg::round1::Package::deserialize(message.package.as_slice())
            .map_err(|_| wrong(name, "malformed round-1 package"))?;
        let commitment = package.commitment();
        if !has_degree(commitment, threshold) {
            return Err(wrong(name, "a polynomial of another degree"));
        }
        frost_core::keys::dkg::verify_proof_of_knowledge(
            identifier(*number)?,
            commitment,
            package.proof_of_knowledge(),
        )
        .map_err(|_| wrong(name, "does not prove that it knows its secret"))?;
        all.insert(name.clone(), commitment.clone());
    }
    // Nobody's key is none.
    if all.is_empty() || all.len() != participants.len() || all.len() != round1.len() {
        return Err(SharingError::Members);
    }
    Ok(all)
}

/// One whose present share a resharing is made of.
#[derive(Debug, Clone, Copy)]
pub struct Dealer<'a> {
    /// FROST identifier in the sharing in force.
    pub identifier: u16,
    /// The signer's name.
    pub name: &'a str,
    /// Its published verifying share.
    pub share: &'a [u8; 32],
}

/// The dealers' commitments of a resharing, each with the right degree and the dealer's own secret; others say nothing.
///
/// # Errors
/// [`SharingError`].
pub fn dealt(
    dealers: &[Dealer<'_>],
    threshold: u16,
    round1: &[DkgRound1],
) -> Result<Commitments, SharingError> {
    let among = identifiers(dealers.iter().map(|dealer| dealer.identifier))?;
    let mut all = Commitments::new();
    for message in round1 {
        let name = &message.name;
        let Some(dealer) = dealers.iter().find(|one| one.name == name) else {
            if message.package.as_slice().is_empty() {
                continue;
            }
            return Err(wrong(name, "deals, and is no dealer"));
        };
        let commitment = Commitment::deserialize_whole(message.package.as_slice())
            .map_err(|_| wrong(name, "malformed commitment"))?;
        if !has_degree(&commitment, threshold) {
            return Err(wrong(name, "a polynomial of another degree"));
        }
        let published = VerifyingShare::deserialize(dealer.share).map_err(parameters)?;
        let lambda =
            frost_core::compute_lagrange_coefficient(&among, None, identifier(dealer.identifier)?)
                .map_err(parameters)?;
        let constant = commitment
            .coefficients()
            .first()
            .map(frost_core::keys::CoefficientCommitment::value);
        if constant != Some(published.to_element() * lambda) {
            return Err(wrong(name, "deals another secret than its published share"));
        }
        all.insert(name.clone(), commitment);
    }
    if all.is_empty() || all.len() != dealers.len() {
        return Err(SharingError::Members);
    }
    Ok(all)
}

/// Group key and verifying shares: the sum of the commitments, at 0 and at the holders' identifiers.
///
/// # Errors
/// [`SharingError::Parameters`] if there are no commitments, or they are of different degrees.
pub fn public(
    commitments: &Commitments,
    holders: &BTreeSet<Identifier>,
) -> Result<frost::keys::PublicKeyPackage, SharingError> {
    let all: Vec<&Commitment> = commitments.values().collect();
    let sum = frost_core::keys::sum_commitments(&all).map_err(parameters)?;
    frost::keys::PublicKeyPackage::from_commitment(holders, &sum).map_err(parameters)
}

/// The points that a message commits to, constant term first, as people are shown them; none where it commits to nothing.
pub fn points(message: &DkgRound1) -> Vec<Vec<u8>> {
    let package = message.package.as_slice();
    let commitment = match frost::keys::dkg::round1::Package::deserialize(package) {
        Ok(package) => package.commitment().clone(),
        Err(_) => match Commitment::deserialize_whole(package) {
            Ok(commitment) => commitment,
            Err(_) => return Vec::new(),
        },
    };
    commitment.serialize().unwrap_or_default()
}
