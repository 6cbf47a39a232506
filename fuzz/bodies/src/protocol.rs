//! Targets of the signers' messages.

use bauta_signer_protocol::keys::KeyShare;
use bauta_signer_protocol::messages::{
    FrostPackage, MAX_FRAME, MAX_SIGNERS, Message, ToCoordinator, ToNode,
};
use bauta_statement::run::{self, decode_transcript};
use bauta_verifier::sharing::{self, Dealer};

fn frame<M: Message + PartialEq + std::fmt::Debug>(data: &[u8]) {
    if let Ok(message) = M::decode(data) {
        assert!(data.len() <= MAX_FRAME);
        let again = message.encode().expect("what was read can be written");
        assert_eq!(again, data, "a second encoding of one message");
        assert_eq!(M::decode(&again).as_ref(), Ok(&message));
    }
}

pub(crate) fn to_node(data: &[u8]) {
    frame::<ToNode>(data);
}

pub(crate) fn to_coordinator(data: &[u8]) {
    frame::<ToCoordinator>(data);
}

pub(crate) fn frost_package(data: &[u8]) {
    if let Ok(package) = FrostPackage::decode(data) {
        assert!(package.signers.len() <= MAX_SIGNERS);
        assert_eq!(
            package.encode().as_deref(),
            Ok(data),
            "a second encoding of one package"
        );
    }
}

pub(crate) fn key_share(data: &[u8]) {
    if let Ok(share) = KeyShare::from_bytes(data) {
        assert_eq!(share.to_bytes().expect("it was read").as_slice(), data);
    }
}

/// What a run's members said, as the ledger judges it: whatever they said, it is judged.
pub(crate) fn transcript(data: &[u8]) {
    if let Ok((run, said)) = decode_transcript(data) {
        let again = run::transcript(&run, &said).expect("what was read can be written");
        assert_eq!(again, data, "a second encoding of one transcript");
        for message in &said {
            sharing::points(message);
        }
        let names = || (1..).zip(said.iter().map(|message| message.name.as_str()));
        if let Ok(commitments) = sharing::generated(names(), 3, &said) {
            let holders = sharing::identifiers(names().map(|(number, _)| number)).expect("from 1");
            sharing::public(&commitments, &holders).expect("of one degree");
        }
        let dealers: Vec<Dealer<'_>> = names()
            .map(|(identifier, name)| Dealer {
                identifier,
                name,
                share: &[1; 32],
            })
            .collect();
        let _ = sharing::dealt(&dealers, 3, &said);
    }
}
