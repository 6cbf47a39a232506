//! How the messages of a run travel that nodes do together: key generation, resharing, repair.
//!
//! They go through the coordinator, who may alter, drop, replay and mix them. So:
//!
//! - **Signed.** Each is signed by its sender's approval key over a domain tag, the run's name and the whole message.
//! - **Sealed.** A share is sealed (HPKE, RFC 9180: X25519, HKDF-SHA-256, ChaCha20-Poly1305) to a key that its receiver made for
//!   this run and signed in round 1, so that an approval key stolen later opens nothing.
//! - **Echo.** Every node signs, with its round 2, a hash of all round-1 messages that it saw, and nobody goes on unless all
//!   hashes are one: who told two nodes different things in round 1 has ended the run.

use std::collections::{BTreeMap, BTreeSet};

use bauta_statement::{approval::ApprovalPublicKey, run};
use hpke::{
    Deserializable as _, Kem as _, OpModeR, OpModeS, Serializable as _, aead::ChaCha20Poly1305,
    kdf::HkdfSha256, kem::X25519HkdfSha256,
};
use rand_core::{CryptoRng, RngCore};
use thiserror::Error;
use tls_codec::Serialize as _;
use zeroize::Zeroizing;

use crate::{
    keys::{Approver, KeyError, identifier},
    messages::{Bytes, Digest, DkgRound1, DkgRound2, DkgRun, SealedPackage},
};

const ROUND_2: &str = "bauta/v1/dkg-round-2";
const ROUND_3: &str = "bauta/v1/repair-round-3";
const SEAL: &str = "bauta/v1/dkg-seal";

pub(crate) type SealingKey = <X25519HkdfSha256 as hpke::Kem>::PrivateKey;
pub(crate) type SealingPublicKey = <X25519HkdfSha256 as hpke::Kem>::PublicKey;
pub(crate) type Encapsulated = <X25519HkdfSha256 as hpke::Kem>::EncappedKey;

/// Why a run stops here. Nothing that it made so far is used again; the coordinator may start another.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum RunError {
    /// This message belongs to another stage.
    #[error("a message out of turn: start the run anew")]
    OutOfTurn,
    /// Not exactly one message from each member.
    #[error("not exactly one message from each member of the run, as the logged file names them")]
    Participants,
    /// A message that its sender did not sign, or for another run.
    #[error("{0}'s message does not bear its approval key's signature for this run")]
    Signature(String),
    /// Somebody saw another round 1 than this node.
    #[error(
        "{0} saw other round-1 messages than this node: a member equivocated; compare the nodes' logs"
    )]
    Equivocation(String),
    /// A member's proof, commitment or share is wrong.
    #[error("{name} misbehaved: {what}; leave it out, or have its operator look")]
    Cheater {
        /// Who.
        name: String,
        /// How.
        what: String,
    },
    /// The helpers' parts do not add up to the share whose public half is published. One of them lied, and the parts do not
    /// say which.
    #[error(
        "the repaired share is not the published one: one of {helpers:?} misbehaved; have others help, one exchanged at a time"
    )]
    WrongShare {
        /// All who helped.
        helpers: Vec<String>,
    },
    /// The run's parameters do not fit.
    #[error("the run's parameters do not fit: {0}")]
    Frost(String),
    /// This node's approval key failed.
    #[error(transparent)]
    Key(#[from] KeyError),
}

pub(crate) fn other(error: impl core::fmt::Display) -> RunError {
    RunError::Frost(error.to_string())
}

pub(crate) fn cheater(name: &str, what: &str) -> RunError {
    RunError::Cheater {
        name: name.into(),
        what: what.into(),
    }
}

/// One node that takes part in a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Participant {
    /// FROST identifier, from 1.
    pub identifier: u16,
    /// The signer's name.
    pub name: String,
    /// Its approval key.
    pub approval_key: ApprovalPublicKey,
}

impl Participant {
    /// As FROST has it.
    pub(crate) fn frost_identifier(&self) -> Result<frost_ed25519::Identifier, RunError> {
        identifier(self.identifier).map_err(other)
    }
}

/// The participant of this name.
pub(crate) fn find<'a>(
    members: &'a [Participant],
    name: &str,
) -> Result<&'a Participant, RunError> {
    members
        .iter()
        .find(|member| member.name == name)
        .ok_or(RunError::Participants)
}

fn check_signature(
    members: &[Participant],
    name: &str,
    message: &[u8],
    signature: &[u8; 64],
) -> Result<(), RunError> {
    if find(members, name)?.approval_key.verify(message, signature) {
        Ok(())
    } else {
        Err(RunError::Signature(name.into()))
    }
}

/// What the approval key signs.
fn signed_bytes(domain: &str, message: &impl tls_codec::Serialize) -> Result<Vec<u8>, RunError> {
    run::signed_bytes(domain, message).map_err(other)
}

/// Is this round 1 its sender's own, for `run`? The coordinator asks too, to name who is late and who is wrong.
pub(crate) fn check_round1(
    message: &DkgRound1,
    run: &DkgRun,
    members: &[Participant],
) -> Result<(), RunError> {
    if message.run != *run {
        return Err(RunError::Signature(message.name.clone()));
    }
    let signed = message.signed_bytes().map_err(other)?;
    check_signature(members, &message.name, &signed, &message.signature)
}

/// Which of the two messages of the same form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Round {
    Two,
    Three,
}

impl DkgRound2 {
    pub(crate) fn signed_bytes(&self, round: Round) -> Result<Vec<u8>, RunError> {
        let domain = match round {
            Round::Two => ROUND_2,
            Round::Three => ROUND_3,
        };
        signed_bytes(
            domain,
            &Self {
                signature: [0; 64],
                ..self.clone()
            },
        )
    }

    pub(crate) fn check_sender(
        &self,
        round: Round,
        run: &DkgRun,
        members: &[Participant],
    ) -> Result<(), RunError> {
        if self.run != *run {
            return Err(RunError::Signature(self.name.clone()));
        }
        let signed = self.signed_bytes(round)?;
        check_signature(members, &self.name, &signed, &self.signature)
    }
}

/// Binds a sealed share to its run, sender and receiver.
pub(crate) fn seal_info(run: &DkgRun, from: &str, to: &str) -> Result<Vec<u8>, RunError> {
    let mut info = signed_bytes(SEAL, run)?;
    for name in [from, to] {
        Bytes::from(name.as_bytes().to_vec())
            .tls_serialize(&mut info)
            .map_err(other)?;
    }
    Ok(info)
}

/// Exactly one name for each member.
pub(crate) fn one_each<'a>(
    names: impl Iterator<Item = &'a str>,
    members: &[Participant],
) -> Result<(), RunError> {
    let names: Vec<&str> = names.collect();
    let distinct: BTreeSet<&str> = names.iter().copied().collect();
    let expected: BTreeSet<&str> = members.iter().map(|p| p.name.as_str()).collect();
    if names.len() == expected.len() && distinct == expected {
        Ok(())
    } else {
        Err(RunError::Participants)
    }
}

/// One node's place in a run: who it is, who the others are, the key that shares for it are sealed to, and what it has said.
/// It lives in memory alone, with the run's other secrets: a restart ends the run.
pub(crate) struct Station {
    run: DkgRun,
    me: String,
    members: Vec<Participant>,
    sealing_key: SealingKey,
    sealing_public: [u8; 32],
    round1: Option<DkgRound1>,
    round2: Option<DkgRound2>,
}

/// What everybody's round 1 is to a node.
pub(crate) enum Heard {
    /// The messages that it answered before: the same answer.
    Again(DkgRound2),
    /// They come for the first time, each as its sender signed it.
    First {
        /// Hash of all of them.
        echo: Digest,
        /// The keys to seal to, by name.
        keys: BTreeMap<String, SealingPublicKey>,
    },
}

impl Station {
    pub(crate) fn new<R: RngCore + CryptoRng>(
        run: DkgRun,
        me: &str,
        members: Vec<Participant>,
        approval: &dyn Approver,
        rng: &mut R,
    ) -> Result<Self, RunError> {
        if find(&members, me)?.approval_key != approval.approval_key() {
            return Err(RunError::Participants);
        }
        let (sealing_key, sealing_public) = X25519HkdfSha256::gen_keypair(rng);
        Ok(Self {
            run,
            me: me.into(),
            members,
            sealing_key,
            sealing_public: sealing_public.to_bytes().into(),
            round1: None,
            round2: None,
        })
    }

    pub(crate) fn run(&self) -> &DkgRun {
        &self.run
    }

    pub(crate) fn me(&self) -> &str {
        &self.me
    }

    /// Signs this node's round 1.
    pub(crate) fn say_round1(
        &mut self,
        package: Vec<u8>,
        approval: &dyn Approver,
    ) -> Result<(), RunError> {
        let mut own = DkgRound1 {
            run: self.run,
            name: self.me.clone(),
            package: package.into(),
            sealing_key: self.sealing_public,
            signature: [0; 64],
        };
        own.signature = approval.approve(&own.signed_bytes().map_err(other)?)?;
        self.round1 = Some(own);
        Ok(())
    }

    /// This node's round 1, as long as its round 2 is to come.
    pub(crate) fn round1(&self) -> Option<&DkgRound1> {
        self.round1.as_ref().filter(|_| self.round2.is_none())
    }

    /// Everybody's round 1. The same messages again get the same answer again; other ones do not: what was made for the first
    /// ones is used.
    pub(crate) fn hear(&self, messages: &[DkgRound1]) -> Result<Heard, RunError> {
        let echo = run::echo(&self.run, messages).map_err(other)?;
        if let Some(said) = &self.round2 {
            return if said.echo == echo {
                Ok(Heard::Again(said.clone()))
            } else {
                Err(RunError::OutOfTurn)
            };
        }
        let own = self.round1.as_ref().ok_or(RunError::OutOfTurn)?;
        let keys = self.sealing_keys(own, messages)?;
        Ok(Heard::First { echo, keys })
    }

    /// Checks everybody's round 1, this node's own among them; gives the keys to seal to, by name.
    pub(crate) fn sealing_keys(
        &self,
        own: &DkgRound1,
        messages: &[DkgRound1],
    ) -> Result<BTreeMap<String, SealingPublicKey>, RunError> {
        one_each(messages.iter().map(|m| m.name.as_str()), &self.members)?;
        if !messages.iter().any(|message| message == own) {
            return Err(RunError::Signature(self.me.clone()));
        }
        messages
            .iter()
            .map(|message| {
                check_round1(message, &self.run, &self.members)?;
                let key = SealingPublicKey::from_bytes(&message.sealing_key)
                    .map_err(|_| cheater(&message.name, "malformed sealing key"))?;
                Ok((message.name.clone(), key))
            })
            .collect()
    }

    /// Seals a share, or part of one, for `to`.
    pub(crate) fn seal<R: RngCore + CryptoRng>(
        &self,
        to: &str,
        keys: &BTreeMap<String, SealingPublicKey>,
        plain: &[u8],
        rng: &mut R,
    ) -> Result<SealedPackage, RunError> {
        let key = keys.get(to).ok_or(RunError::Participants)?;
        let (encapsulated, ciphertext) =
            hpke::single_shot_seal::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256, _>(
                &OpModeS::Base,
                key,
                &seal_info(&self.run, &self.me, to)?,
                plain,
                &[],
                rng,
            )
            .map_err(other)?;
        Ok(SealedPackage {
            to: to.into(),
            encapsulated: encapsulated.to_bytes().to_vec().into(),
            ciphertext: ciphertext.into(),
        })
    }

    /// Seals for each of `others` but this node what `part` has for it, if anything.
    pub(crate) fn seal_each<R: RngCore + CryptoRng>(
        &self,
        others: &[Participant],
        keys: &BTreeMap<String, SealingPublicKey>,
        part: impl Fn(&frost_ed25519::Identifier) -> Option<Vec<u8>>,
        rng: &mut R,
    ) -> Result<Vec<SealedPackage>, RunError> {
        let mut sealed = Vec::new();
        for other in others.iter().filter(|other| other.name != self.me) {
            if let Some(plain) = part(&other.frost_identifier()?).map(Zeroizing::new) {
                sealed.push(self.seal(&other.name, keys, &plain, rng)?);
            }
        }
        Ok(sealed)
    }

    /// This node's round 2, signed.
    pub(crate) fn say_round2(
        &mut self,
        echo: Digest,
        packages: Vec<SealedPackage>,
        approval: &dyn Approver,
    ) -> Result<DkgRound2, RunError> {
        let own = self.sign(Round::Two, echo, packages, approval)?;
        self.round2 = Some(own.clone());
        Ok(own)
    }

    /// This node's round 3, signed, with the echo of its round 2.
    pub(crate) fn say_round3(
        &self,
        packages: Vec<SealedPackage>,
        approval: &dyn Approver,
    ) -> Result<DkgRound2, RunError> {
        self.sign(Round::Three, self.echo()?, packages, approval)
    }

    /// Hash of the run's transcript, once it was heard.
    pub(crate) fn echo(&self) -> Result<Digest, RunError> {
        self.round2
            .as_ref()
            .map(|said| said.echo)
            .ok_or(RunError::OutOfTurn)
    }

    fn sign(
        &self,
        round: Round,
        echo: Digest,
        mut packages: Vec<SealedPackage>,
        approval: &dyn Approver,
    ) -> Result<DkgRound2, RunError> {
        packages.sort_by(|a, b| a.to.cmp(&b.to));
        let mut own = DkgRound2 {
            run: self.run,
            name: self.me.clone(),
            echo,
            packages,
            signature: [0; 64],
        };
        own.signature = approval.approve(&own.signed_bytes(round)?)?;
        Ok(own)
    }

    /// Checks the round 2 or 3 of each of `senders`, and that it heard what this node did. All signatures and echoes come first:
    /// nothing is opened of a run in which two nodes saw different things.
    pub(crate) fn check_round2(
        &self,
        round: Round,
        senders: &[Participant],
        messages: &[DkgRound2],
    ) -> Result<(), RunError> {
        let echo = self.echo()?;
        one_each(messages.iter().map(|m| m.name.as_str()), senders)?;
        for message in messages {
            message.check_sender(round, &self.run, senders)?;
            if message.echo != echo {
                return Err(RunError::Equivocation(message.name.clone()));
            }
        }
        Ok(())
    }

    /// Opens what a message holds for this node.
    pub(crate) fn open(&self, message: &DkgRound2) -> Result<Zeroizing<Vec<u8>>, RunError> {
        let wrong = |what: &str| cheater(&message.name, what);
        let mut mine = message.packages.iter().filter(|p| p.to == self.me);
        let (Some(sealed), None) = (mine.next(), mine.next()) else {
            return Err(wrong("not one sealed share for this node"));
        };
        let encapsulated = Encapsulated::from_bytes(sealed.encapsulated.as_slice())
            .map_err(|_| wrong("malformed encapsulated key"))?;
        hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &self.sealing_key,
            &encapsulated,
            &seal_info(&self.run, &message.name, &self.me)?,
            sealed.ciphertext.as_slice(),
            &[],
        )
        .map(Zeroizing::new)
        .map_err(|_| wrong("a sealed share that does not open"))
    }
}
