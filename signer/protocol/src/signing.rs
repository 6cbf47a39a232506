//! What a signature share says: *this entry is logged under q cosignatures, it is valid, it is time, and this is the
//! one certificate that it earns.*
//!
//! Every check comes before the nonce is taken, so that a refusal costs nothing. The entry's one TBS and the spent
//! nonce are persisted before the share leaves: after a crash in between, the nonce is gone with the boot that made
//! it, and the entry is bound to the same TBS, so that the next session goes on where this one stopped.
//!
//! A share of a sharing that waits says another thing, and only that: *these new shares can sign.* What it signs is the
//! authority file that would put the sharing in force, as this node computed it. That text begins with
//! [`AUTHORITY`], a TBS with the byte 0x30: neither passes for the other.

use bauta_log::TlogProof;
use bauta_statement::certificate::Shape;
use sha2::{Digest as _, Sha256};

use crate::{
    frost_scheme::{FROST_ED25519, signing_package},
    keys::PublicShares,
    messages::{Code, FrostPackage, SignRequest, SignatureShare, Subject, ToCoordinator},
    node::{CLOCK_WINDOW, Node, NodeEvent, Output, Record},
    rulebook::{CertificateRequest, RuleError, Rulebook, Store, ToBeSigned},
};

/// How the text of every authority file begins.
pub const AUTHORITY: &[u8] = b"bauta/v1/authority\n";

/// What a share is asked over.
enum Asked {
    /// What an entry orders, by a key in force.
    Ordered(ToBeSigned),
    /// The authority file that would put a waiting sharing in force.
    Test(Vec<u8>),
}

impl Asked {
    fn message(&self) -> &[u8] {
        match self {
            Self::Ordered(ordered) => &ordered.tbs,
            Self::Test(message) => message,
        }
    }

    /// The policy of an issuance.
    fn policy(&self) -> Option<&str> {
        match self {
            Self::Ordered(ordered) => ordered.policy.as_deref(),
            Self::Test(_) => None,
        }
    }
}

impl RuleError {
    fn code(&self) -> Code {
        match self {
            Self::Earns { .. } | Self::Beside { .. } => Code::InvalidIssuance,
            Self::Operation { .. } => Code::Operation,
        }
    }
}

impl<B: Rulebook> Node<B> {
    pub(crate) fn sign(
        &mut self,
        now: u64,
        store: &dyn Store,
        request: &SignRequest,
        output: &mut Output,
    ) {
        if let Err((code, reason)) = self.try_sign(now, store, request, output) {
            output.refuse(Subject::Session(request.session), code, reason);
        }
    }

    fn try_sign(
        &mut self,
        now: u64,
        store: &dyn Store,
        request: &SignRequest,
        output: &mut Output,
    ) -> Result<(), (Code, String)> {
        self.require_welcome()?;
        if request.scheme != FROST_ED25519 || request.round != 1 {
            return Err((
                Code::Scheme,
                "this node knows scheme 1, FROST-Ed25519, of one round".into(),
            ));
        }
        self.require_holder()?;
        let (public, asked) = self.asked(now, store, request)?;
        self.require_approval(request.index, asked.policy())?;
        let tbs_digest: [u8; 32] = Sha256::digest(asked.message()).into();
        if tbs_digest != request.tbs_digest {
            let reason = "what is to be signed for this entry is another than the coordinator's";
            return Err((Code::TbsDiffers, reason.into()));
        }
        let binds = matches!(asked, Asked::Ordered(_));
        if binds
            && store
                .bound(request.index)
                .is_some_and(|bound| bound != tbs_digest)
        {
            let reason = "this entry was bound to another certificate, and has one only";
            return Err((Code::AnotherTbs, reason.into()));
        }
        let package = FrostPackage::decode(request.payload.as_slice())
            .map_err(|error| (Code::Malformed, error.to_string()))?;
        let frost_package = signing_package(&package, &public, asked.message())
            .map_err(|error| (Code::Malformed, error.to_string()))?;
        if package.signers.len() < usize::from(public.threshold) {
            return Err((Code::Malformed, "fewer signers than the threshold".into()));
        }
        let own = package
            .signers
            .iter()
            .find(|signer| signer.name == self.config.name)
            .ok_or((
                Code::Malformed,
                "this node is not among the session's signers".to_owned(),
            ))?;
        let spent = || {
            (
                Code::NonceSpent,
                "the nonce is spent, or of another start of this node".to_owned(),
            )
        };
        if store.burnt(&request.key, &own.slot) {
            return Err(spent());
        }
        let held = self.held.get_mut(&request.key).ok_or_else(spent)?;
        // From here on the nonce is gone, whatever comes.
        let nonce = held.stock.take(own.slot).ok_or_else(spent)?;
        let slot = nonce.slot();
        let signed = nonce.sign(&frost_package, &held.share);
        if binds {
            output.persist.push(Record::Bound {
                index: request.index,
                tbs_digest,
            });
        }
        output.persist.push(Record::Burnt {
            key: request.key,
            slot,
        });
        let share = signed.map_err(|error| (Code::Malformed, error.to_string()))?;
        output.send.push(ToCoordinator::Share(SignatureShare {
            session: request.session,
            round: request.round,
            payload: share.to_vec().into(),
        }));
        self.count_issuance(request.index, asked.policy());
        output.events.push(NodeEvent::ShareGiven {
            index: request.index,
        });
        Ok(())
    }

    /// What a share of this sharing may be given over, and the sharing's public side.
    fn asked(
        &mut self,
        now: u64,
        store: &dyn Store,
        request: &SignRequest,
    ) -> Result<(PublicShares, Asked), (Code, String)> {
        let no_key = || {
            let reason = "no share of this key and sharing in force here, nor one to be tested";
            (Code::NoKey, reason.to_owned())
        };
        let held = self.held.get(&request.key).ok_or_else(no_key)?;
        match (&held.public, &held.test) {
            (Some(public), _) => {
                let public = public.clone();
                let to_be_signed = self.checked_tbs(now, store, request)?;
                // A request signed as a certificate, or the other way round, would be a signature that nobody ordered.
                if Shape::of(&to_be_signed.tbs) != Some(to_be_signed.shape) {
                    let reason = "what this entry gives has not the shape of what it orders";
                    return Err((Code::TbsDiffers, reason.into()));
                }
                Ok((public, Asked::Ordered(to_be_signed)))
            }
            (None, Some(test)) if test.text.as_bytes().starts_with(AUTHORITY) => Ok((
                test.public.clone(),
                Asked::Test(test.text.as_bytes().to_vec()),
            )),
            (None, _) => Err(no_key()),
        }
    }

    /// What this entry earns, if it is logged, valid, and it is time.
    fn checked_tbs(
        &mut self,
        now: u64,
        store: &dyn Store,
        request: &SignRequest,
    ) -> Result<ToBeSigned, (Code, String)> {
        let logged = self.logged(store, request.index, request.proof.as_slice())?;
        let asked = CertificateRequest {
            csr: request.csr.as_slice(),
            openings: request.openings.as_slice(),
            group_key: request.key.group_key,
            now,
        };
        let to_be_signed = self
            .rulebook
            .to_be_signed(request.index, &logged, &asked)
            .map_err(|error| (error.code(), error.to_string()))?;
        match to_be_signed.time {
            Some(time) if time.abs_diff(now) > CLOCK_WINDOW => Err((
                Code::OutsideClock,
                format!(
                    "the entry's time, {time}, is more than {CLOCK_WINDOW} s from this node's clock, {now}: it has lapsed, or a clock is wrong"
                ),
            )),
            _ => Ok(to_be_signed),
        }
    }

    /// The entry at `index` as this node holds it, proved to be logged under q cosignatures.
    pub(crate) fn logged(
        &mut self,
        store: &dyn Store,
        index: u64,
        proof: &[u8],
    ) -> Result<bauta_log::LoggedEntry, (Code, String)> {
        let behind = || {
            (
                Code::Behind,
                format!("this node holds {} entries", self.head.size),
            )
        };
        if index >= self.head.size {
            return Err(behind());
        }
        let entry = store.entry(index).ok_or_else(behind)?;
        let not_logged = |reason: String| (Code::NotLogged, reason);
        let proof = TlogProof::parse(proof).map_err(|error| not_logged(error.to_string()))?;
        if proof.index != index {
            return Err(not_logged("the proof is of another entry".into()));
        }
        let policies = self.rulebook.log_policies();
        let mut logged = None;
        for policy in &policies {
            let checked = proof
                .verify(entry.clone(), policy)
                .map_err(|error| not_logged(error.to_string()))?;
            logged = Some(checked);
        }
        logged.ok_or_else(|| not_logged("no authority is logged".into()))
    }
}
