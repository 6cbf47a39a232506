//! What each fuzz target does, as plain functions of bytes: cargo-fuzz calls them on the nightly toolchain (`fuzz/`), and
//! the ordinary test suite runs them over seeds, regressions and a few mutations of both, so that they compile and hold on
//! the stable one.
//!
//! A body returns whatever it is given and panics if an invariant is broken: what decodes encodes to the same bytes again,
//! what was changed is not accepted, what is refused changes nothing. [`TARGETS`] is the one list; a test compares it with
//! the decoders that it finds in the sources, and with `fuzz/Cargo.toml`.

/// Those of the prover's tests.
#[path = "../../../prover/tests/common/certificates.rs"]
mod certificates;
mod edit;
mod files;
mod log;
mod protocol;
pub mod seeds;
mod statement;
mod verifier;
mod wallet;
mod world;

/// The name by which the borrowed test world ([`world`]) calls the ledger.
pub(crate) use bauta_verifier::ledger;

/// A fuzz target.
pub struct Target {
    /// Its name: of the function, of the wrapper in `fuzz_targets/`, and of its folders of seeds and regressions.
    pub name: &'static str,
    /// What it does with an input.
    pub body: fn(&[u8]),
    /// The decoders that it is for, as `file::Type::function`; `tests/targets.rs` looks for others.
    pub decoders: &'static [&'static str],
}

macro_rules! targets {
    ($($module:ident::$name:ident($($decoder:literal),*);)*) => {
        /// Every target.
        pub const TARGETS: &[Target] = &[$(Target {
            name: stringify!($name),
            body: $name,
            decoders: &[$($decoder),*],
        }),*];
        $(
            #[doc = concat!("The target `", stringify!($name), "`.")]
            pub fn $name(data: &[u8]) {
                $module::$name(data);
            }
        )*
    };
}

targets! {
    statement::field("statement/src/field.rs::from_bytes");
    statement::babyjubjub_point(
        "statement/src/babyjubjub.rs::unpack", "statement/src/babyjubjub.rs::from_coordinates"
    );
    statement::eddsa(
        "statement/src/eddsa.rs::SigningKey::from_bytes", "statement/src/eddsa.rs::PublicKey::from_bytes",
        "statement/src/eddsa.rs::PublicKey::from_coordinates", "statement/src/eddsa.rs::Signature::from_bytes"
    );
    statement::group_points("statement/src/group.rs::g1_from_bytes", "statement/src/group.rs::g2_from_bytes");
    statement::codes(
        "statement/src/vector.rs::Format::from_code", "statement/src/relation.rs::Relation::from_code",
        "statement/src/relation.rs::Relation::from_name"
    );
    statement::serial(
        "statement/src/vector.rs::Serial::from_be_bytes", "statement/src/vector.rs::Serial::from_der_contents"
    );
    statement::text(
        "statement/src/file/text.rs::parse_time", "statement/src/file/text.rs::parse_hex",
        "statement/src/file/fingerprint.rs::Fingerprint::from_str"
    );
    statement::verifying_key("statement/src/verifying_key.rs::VerifyingKey::decode");
    statement::presentation(
        "statement/src/presentation.rs::Presentation::decode",
        "statement/src/presentation.rs::Presentation::decode_for_verifier"
    );
    statement::openings("statement/src/presentation.rs::Opening::decode_list");
    statement::credential(
        "statement/src/credential.rs::IssuedCredential::decode", "statement/src/credential.rs::NativeCredential::decode"
    );
    statement::challenge("statement/src/challenge.rs::Challenge::decode");
    statement::public_key("statement/src/csr.rs::PublicKey::from_spki");
    statement::csr("statement/src/csr.rs::Request::from_der", "verifier/src/csr.rs::verify");
    statement::leaf(
        "statement/src/certificate.rs::disassemble", "statement/src/certificate/identity.rs::PresentedIdentity::from_der"
    );
    statement::ca_certificate("statement/src/certificate/ca.rs::Ca::from_certificate");
    statement::outside_certificate(
        "statement/src/certificate/outside.rs::OutsideCertificate::from_der"
    );
    statement::crl("statement/src/crl.rs::Crl::from_der");
    statement::rsa_key("statement/src/rsa_key.rs::RsaPublicKey::from_be_bytes");
    statement::pseudonym("statement/src/certificate/leaf.rs::Pseudonym::parse");
    statement::evidence("statement/src/certificate/evidence.rs::Evidence::decode");
    statement::entry("statement/src/entry.rs::Entry::decode");
    statement::epoch("statement/src/entry.rs::Entry::decode");
    statement::note("statement/src/note.rs::SignedNote::parse");
    statement::note_keys(
        "statement/src/note.rs::VerifierKey::parse", "statement/src/note.rs::NoteSigner::parse",
        "statement/src/approval.rs::ApprovalKey::parse",
        "log/src/key.rs::$verifier::from_str", "log/src/key.rs::$signer::from_str"
    );
    files::signed_file(
        "statement/src/file/mod.rs::SignedFile::parse", "statement/src/file/mod.rs::parse_text"
    );
    files::authority("statement/src/file/mod.rs::parse_text");
    files::policy("statement/src/file/mod.rs::parse_text");
    files::policy_check("statement/src/policy.rs::Policy::deserialize");
    files::schema("statement/src/file/mod.rs::parse_text", "statement/src/schema.rs::Schema::from_json");
    files::issuer_set("statement/src/file/mod.rs::parse_text");
    files::revocation_list("statement/src/file/mod.rs::parse_text");
    files::key_operation("statement/src/file/mod.rs::parse_text");
    files::parameters("statement/src/file/mod.rs::parse_text");
    files::tombstone("statement/src/file/mod.rs::parse_text");
    log::checkpoint(
        "log/src/checkpoint.rs::Checkpoint::parse", "log/src/checkpoint.rs::SignedCheckpoint::parse"
    );
    log::cosigned("log/src/policy.rs::LogPolicy::check");
    log::log_policy("log/src/policy.rs::LogPolicy::parse");
    log::tlog_proof("log/src/tlog_proof.rs::TlogProof::parse");
    log::tile_path("log/src/tile.rs::Tile::parse");
    log::tiles("log/src/tile.rs::decode_bundle", "log/src/tile.rs::decode_hashes");
    log::batch("log/src/sequencer.rs::Batch::from_bytes");
    log::merkle_proofs("log/src/merkle.rs::check_inclusion", "log/src/merkle.rs::check_consistency");
    log::stored_log("log/src/reader.rs::LogReader::audit");
    verifier::verify_bytes("verifier/src/presentation.rs::verify_bytes");
    verifier::ledger_append("verifier/src/ledger/mod.rs::Ledger::append");
    verifier::audit_entries("verifier/src/audit.rs::Audit::next_entries");
    verifier::certificate("verifier/src/certificate.rs::verify");
    wallet::wallet("prover/src/wallet.rs::Stored::decode");
    wallet::relation_proof("prover/src/prove.rs::RelationProof::decode");
    wallet::x509_credential(
        "prover/src/credential.rs::X509RsaCredential::read", "prover/src/credential.rs::X509RsaCredential::decode"
    );
    protocol::to_node("signer/protocol/src/messages.rs::Message::decode");
    protocol::to_coordinator("signer/protocol/src/messages.rs::Message::decode");
    protocol::frost_package("signer/protocol/src/messages/signing.rs::FrostPackage::decode");
    protocol::key_share("signer/protocol/src/keys.rs::KeyShare::from_bytes");
    protocol::transcript("statement/src/run.rs::decode_transcript");
}

/// The target of this name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
