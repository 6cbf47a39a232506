//! What holders, relying parties and auditors say; and the quickstart.

use std::path::PathBuf;

use bauta_signer::token::SlotName;
use clap::{Args, Subcommand};

/// `bauta quickstart`.
#[derive(Args)]
pub(crate) struct Quickstart {
    /// Folder that holds everything.
    #[arg(long, value_name = "DIR", default_value = "./bauta-data")]
    pub(crate) data: PathBuf,
    /// Nobody enrols: the holder proves with an ordinary X.509 certificate of an RSA-2048 CA in the field. This makes a proving key
    /// of about 200 MB the first time (some 20 s; then it is cached). It counts for a folder's first start.
    #[arg(long)]
    pub(crate) x509: bool,
    /// Exit after the last step instead of staying up.
    #[arg(long)]
    pub(crate) once: bool,
    /// Where the signers' keys are: `softhsm2` makes five SoftHSM2 tokens in the folder; the path of a vendor's PKCS#11 module uses
    /// tokens that are there and never initialises one. Without it, passphrases seal the keys. It counts for a folder's first
    /// start.
    #[arg(long, value_name = "softhsm2|MODULE")]
    pub(crate) token: Option<PathBuf>,
    /// A token of the module: its label, or serial:NUMBER. One for all five signers, or five, in the signers' order.
    #[arg(long, value_name = "LABEL", requires = "token")]
    pub(crate) slot: Vec<SlotName>,
    /// File (mode 600) with a token's PIN: one for each --slot.
    #[arg(long, value_name = "FILE", requires = "token")]
    pub(crate) pin_file: Vec<PathBuf>,
    /// A variable that the module alone gets, such as KRYOPTIC_CONF=/etc/kryoptic.conf; repeatable.
    #[arg(long = "module-env", value_name = "NAME=VALUE", requires = "token", value_parser = bauta_signer::commands::variable)]
    pub(crate) module_environment: Vec<(String, String)>,
}

/// Where the holder's wallet is and what opens it.
#[derive(Args, Clone)]
pub(crate) struct Wallet {
    /// The wallet's folder; its files are encrypted with age.
    #[arg(
        long,
        value_name = "DIR",
        env = "BAUTA_WALLET",
        default_value = "./wallet"
    )]
    pub(crate) wallet: PathBuf,
    /// File (mode 600) with the wallet's passphrase; asked for where there is none.
    #[arg(long, value_name = "FILE", conflicts_with = "identity")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// File (mode 600) with an age identity that opens the wallet, for unattended use; made if it is not there.
    #[arg(long, value_name = "FILE")]
    pub(crate) identity: Option<PathBuf>,
}

/// `bauta enrol`.
#[derive(Args)]
pub(crate) struct Enrol {
    /// Your X.509 client certificate, with intermediates if any (PEM or DER).
    #[arg(long, value_name = "FILE")]
    pub(crate) cert: PathBuf,
    /// Its private key (PKCS#8, PKCS#1 or SEC1; PEM or DER).
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// The desk's address.
    #[arg(long, value_name = "URL", env = "BAUTA_ISSUER")]
    pub(crate) issuer: String,
    /// CA of the desk's own TLS certificate (PEM).
    #[arg(long, value_name = "FILE", env = "BAUTA_ISSUER_CA")]
    pub(crate) issuer_ca: PathBuf,
    /// The wallet was lost: revoke what it held, and begin anew with this one.
    #[arg(long)]
    pub(crate) reset: bool,
    #[command(flatten)]
    pub(crate) wallet: Wallet,
}

/// The service and what the holder pins of it.
#[derive(Args, Clone)]
pub(crate) struct Remote {
    /// The service's address.
    #[arg(long, value_name = "URL", env = "BAUTA_SERVICE")]
    pub(crate) service: String,
    /// CA of the service's own TLS certificate (PEM).
    #[arg(long, value_name = "FILE", env = "BAUTA_SERVICE_CA")]
    pub(crate) service_ca: PathBuf,
    /// The log-policy (C2SP tlog-policy) to pin; needed the first time only.
    #[arg(long, value_name = "FILE")]
    pub(crate) log_policy: Option<PathBuf>,
    /// SHA-256 (hex) of the first authority file to pin; needed the first time only.
    #[arg(long, value_name = "HEX")]
    pub(crate) authority: Option<String>,
}

/// `bauta prepare`.
#[derive(Args)]
pub(crate) struct Prepare {
    /// Name of the policy.
    #[arg(long, value_name = "NAME")]
    pub(crate) policy: String,
    /// An X.509 client certificate (PEM or DER) to prove with, instead of an enrolled credential: RSA-2048, of an RSA-2048 CA that the
    /// policy accepts. The wallet keeps it; the first proof takes seconds and a proving key of 200 MB (370 MB for one of more than
    /// 1,079 bytes).
    #[arg(long, value_name = "FILE|URI", requires = "key")]
    pub(crate) x509: Option<String>,
    /// The certificate's private key: a file (PKCS#8 or PKCS#1; PEM or DER), or a PKCS#11 URI (RFC 7512) of a key on a token, such as
    /// 'pkcs11:token=Ada;object=auth?module-path=/usr/lib/softhsm/libsofthsm2.so'; docs/tokens.md, "A holder's card". --x509 may be one too.
    #[arg(long, value_name = "FILE|URI", requires = "x509")]
    pub(crate) key: Option<String>,
    /// How many uses to prepare where the policy counts them.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) uses: u32,
    /// Folder of proving keys.
    #[arg(long, value_name = "DIR")]
    pub(crate) parameters: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) remote: Remote,
    #[command(flatten)]
    pub(crate) wallet: Wallet,
}

/// `bauta authenticate`.
#[derive(Args)]
pub(crate) struct Authenticate {
    /// Name of the policy.
    #[arg(long, value_name = "NAME")]
    pub(crate) policy: String,
    /// Folder for certificate.pem, key.pem and certificate.tlog-proof.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Do not ask before proving and disclosing.
    #[arg(long)]
    pub(crate) yes: bool,
    /// For how long to repeat the request while the service is away or says "try again later"; then exit status 75. The
    /// next run goes on with the same request.
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    pub(crate) wait: u64,
    /// Folder of proving keys.
    #[arg(long, value_name = "DIR")]
    pub(crate) parameters: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) remote: Remote,
    #[command(flatten)]
    pub(crate) wallet: Wallet,
}

/// `bauta verify-certificate`.
#[derive(Args)]
pub(crate) struct VerifyCertificate {
    /// The certificate, leaf first (PEM).
    #[arg(value_name = "CERT")]
    pub(crate) certificate: PathBuf,
    /// Its tlog-proof.
    #[arg(long, value_name = "FILE")]
    pub(crate) proof: PathBuf,
    /// Bauta's CA certificate (PEM); `ca.pem` in the certificate's folder or the one above where it is not said.
    #[arg(long, value_name = "FILE", env = "BAUTA_CA")]
    pub(crate) ca: Option<PathBuf>,
    /// The log-policy: the log's and the signers' keys, and the quorum; `log-policy` in the same places where it is not said.
    #[arg(long, value_name = "FILE", env = "BAUTA_LOG_POLICY")]
    pub(crate) log_policy: Option<PathBuf>,
}

/// `bauta audit`.
#[derive(Args)]
pub(crate) struct Audit {
    /// The log: a folder, or the service's address.
    #[arg(value_name = "URL-OR-FOLDER")]
    pub(crate) log: String,
    /// The log-policy: the log's and the signers' keys, and the quorum. Where it is not said, `log-policy` beside the folder, or
    /// the service's own, taken at its word.
    #[arg(long, value_name = "FILE", env = "BAUTA_LOG_POLICY")]
    pub(crate) log_policy: Option<PathBuf>,
    /// SHA-256 (hex) of the first authority file, as it was announced; without it the log's own is taken, and said so.
    #[arg(long, value_name = "HEX")]
    pub(crate) authority: Option<String>,
    /// A signer's own copy of the log to compare with; repeatable.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) compare: Vec<PathBuf>,
    /// CA of the service's own TLS certificate (PEM), where the log is an address.
    #[arg(long, value_name = "FILE", env = "BAUTA_SERVICE_CA")]
    pub(crate) service_ca: Option<PathBuf>,
}

/// `bauta export`.
#[derive(Subcommand)]
pub(crate) enum Export {
    /// Write the demonstration holder's stored proofs for snarkjs, gnark and circomlibjs to check.
    ///
    /// Writes <relation>.vkey.json, .proof.json, .public.json and .r1cs for possession-native, policy and nullifier, and
    /// credential.json. A stored proof is an ordinary Groth16 proof: to it the hidden inputs are public. So these files reveal
    /// the credential, every attribute and the holder secret, to whoever gets them; what is shown to a service is another
    /// proof, which hides them. They are mode 600; erase them after use.
    Snarkjs(ExportSnarkjs),
}

/// `bauta export snarkjs`.
#[derive(Args)]
pub(crate) struct ExportSnarkjs {
    /// Folder of a quickstart that has run.
    #[arg(long, value_name = "DIR", default_value = "./bauta-data")]
    pub(crate) data: PathBuf,
    /// Folder for the files; made with mode 700.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Also write <relation>.wtns: the whole witness, from which anyone can prove as the holder.
    #[arg(long)]
    pub(crate) witness: bool,
}
