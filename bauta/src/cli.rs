//! The command line: what may be said, in the words of the design. What is done stands in `operator/`, `holder/`,
//! `quickstart/` and `audit`.

use std::path::PathBuf;

use bauta_signer::{
    admission::{AdmitArguments, EnrolArguments},
    approve::ApproveArguments,
    backup::{BackupArguments, RestoreArguments},
    commands::{CheckToken, NewKeys, ShareToken},
    token::SlotName,
};
use bauta_statement::file::{Kind, authority::Quorum, fingerprint::Fingerprint};
use clap::{Args, Parser, Subcommand, ValueEnum};

const AFTER_HELP: &str = "\
Exit status: 0 done · 1 refused or failed · 2 command line not understood · 3 something is missing on this machine ·
4 what was checked is wrong · 75 try again later · 77 a token refused its PIN: nobody may try again unattended.

Start with: bauta quickstart";

/// Prove what you are without saying who you are, and get a certificate for it.
#[derive(Parser)]
#[command(name = "bauta", version, after_help = AFTER_HELP, max_term_width = 110)]
pub(crate) struct Arguments {
    /// Print the result as one JSON object on standard output, and errors as JSON on standard error.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run the whole story on this machine: CA, signers, issuer, holder, relying party, auditor.
    Quickstart(Quickstart),

    /// Enrol at an organisation's desk with an X.509 client certificate; the wallet gets a native credential.
    #[command(display_order = 10)]
    Enrol(Enrol),
    /// Prove in advance what a policy asks, so that authenticating takes milliseconds.
    #[command(display_order = 11)]
    Prepare(Prepare),
    /// Show that you meet a policy, and get a short-lived certificate for a fresh key.
    #[command(display_order = 12)]
    Authenticate(Authenticate),
    /// Check a certificate offline: its CA, its log entry under a quorum of cosignatures, and that it is the entry's.
    #[command(display_order = 13)]
    VerifyCertificate(VerifyCertificate),
    /// Re-verify a whole log: checkpoint, cosignatures, every entry, every presentation.
    #[command(display_order = 14)]
    Audit(Audit),

    /// Write what other people's tools read: keys and proofs as snarkjs JSON, constraint systems as .r1cs.
    #[command(display_order = 15, subcommand)]
    Export(Export),

    /// Run the REST service: sequencer, log and coordinator of the signers.
    #[command(display_order = 20)]
    Service(Run),
    /// Run a signer node (the same code as the program bauta-signer).
    #[command(display_order = 21)]
    Signer(Signer),
    /// Run an organisation's enrolment desk, or act for it.
    #[command(display_order = 22)]
    Issuer(Issuer),

    /// Make keys: administrator, service, TLS.
    #[command(display_order = 30, subcommand)]
    Keys(Keys),
    /// Found a CA: sign its authority file, then drive distributed key generation and its certificate. Certify it by another CA,
    /// or others by a root; rotate its key.
    #[command(display_order = 31, subcommand)]
    Ca(Ca),
    /// Check, sign and publish policies and every other signed file.
    #[command(display_order = 32, subcommand)]
    Policy(Policy),
    /// Log the next epoch now, instead of when the service would.
    #[command(display_order = 33, subcommand)]
    Epoch(Epoch),
    /// Make or list the proofs' parameters.
    #[command(display_order = 34)]
    Parameters(Parameters),

    /// Runs a vendor's module, for the signer that started it.
    #[command(name = bauta_signer::token::SUBCOMMAND, hide = true)]
    TokenModule,
}

/// `bauta quickstart`.
#[derive(Args)]
pub(crate) struct Quickstart {
    /// Folder that holds everything.
    #[arg(long, value_name = "DIR", default_value = "./bauta-data")]
    pub(crate) data: PathBuf,
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

/// A process with a configuration file.
#[derive(Args)]
pub(crate) struct Run {
    /// Configuration file (JSON).
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// End with the process that started this one, whose id this is, however that one ends.
    #[arg(long, value_name = "PID")]
    pub(crate) die_with_parent: Option<u32>,
}

/// `bauta signer`.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Signer {
    #[command(flatten)]
    pub(crate) run: Option<Run>,
    #[command(subcommand)]
    pub(crate) command: Option<SignerCommand>,
}

#[derive(Subcommand)]
pub(crate) enum SignerCommand {
    /// Take part from elsewhere: open the founder's package, make this node's keys here, write the answer.
    Enrol(EnrolArguments),
    /// Check the signed authority file for this node, and write its configuration once you agree.
    Admit(AdmitArguments),
    /// At an attended signer: see what administrators ordered, agree to it, and open the shares for five minutes.
    Approve(ApproveArguments),
    /// Back up a stopped node's shares, for the custodian that the authority file names.
    Backup(BackupArguments),
    /// Put shares back from a backup, into a stopped node. A share that is lost alone is better repaired.
    Restore(RestoreArguments),
    /// Make a node's keys: cosignature, TLS, approval; in a token, or sealed by a passphrase.
    Keys(NewKeys),
    /// PKCS#11 tokens.
    #[command(subcommand)]
    Token(TokenCommand),
}

/// `bauta signer token`.
#[derive(Subcommand)]
pub(crate) enum TokenCommand {
    /// Say which tokens are there and, with a PIN, try what a signer needs of one; nothing is left in it.
    Check(CheckToken),
    /// Hold one token for several signers on this machine.
    Share(ShareToken),
}

/// `bauta issuer`.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Issuer {
    #[command(flatten)]
    pub(crate) run: Option<Run>,
    #[command(subcommand)]
    pub(crate) command: Option<IssuerCommand>,
}

#[derive(Subcommand)]
pub(crate) enum IssuerCommand {
    /// Make the desk's keys and print what an issuer set says of it.
    Keys {
        /// Configuration file (JSON).
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Also write the JSON body of an issuer set with this issuer alone.
        #[arg(long, value_name = "FILE")]
        issuer_set: Option<PathBuf>,
    },
    /// Revoke a subject's credentials, or one by serial, and write the new signed revocation list.
    Revoke {
        /// Configuration file (JSON).
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// The subject's key (what the schema's subject_key holds).
        #[arg(long, required_unless_present = "serial", conflicts_with = "serial")]
        subject: Option<String>,
        /// One credential's serial (hex).
        #[arg(long)]
        serial: Option<String>,
        /// File for the new list; publish it with `bauta policy publish`.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Write the newest signed revocation list.
    List {
        /// Configuration file (JSON).
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// File for the list.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// `bauta keys`.
#[derive(Subcommand)]
pub(crate) enum Keys {
    /// Make keys; files are mode 600 and never overwritten.
    New(KeysNew),
}

/// `bauta keys new`.
#[derive(Args)]
pub(crate) struct KeysNew {
    /// What the keys are for.
    #[arg(value_enum)]
    pub(crate) purpose: Purpose,
    /// The key's name: an administrator's name; for the service, the log's origin; for TLS, a host name or address.
    #[arg(long)]
    pub(crate) name: String,
    /// Folder for the keys.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Purpose {
    /// A note key that signs policies, issuer sets and key operations.
    Administrator,
    /// The service's log key and challenge key.
    Service,
    /// A TLS server's key and certificate, with a small CA for them.
    Tls,
}

/// `bauta ca`.
#[derive(Subcommand)]
pub(crate) enum Ca {
    /// Make a package for the holder of a node elsewhere: where to dial, what to pin, and a token for the answer.
    ///
    /// The package is an age archive; there is no share of any key in it, and none is ever sent. Keep the folder of
    /// invitations to yourself until the answers are there.
    Invite(Invite),
    /// Check the answer that a holder sent back, and write the node's public file for the plan.
    Accept(Accept),
    /// Sign the first authority file with all administrators' keys, and print the digest that everyone pins.
    Authority {
        /// The plan (JSON): see docs/walkthrough.md.
        #[arg(long, value_name = "FILE")]
        plan: PathBuf,
        /// An administrator's key; all of them are needed.
        #[arg(long = "key", value_name = "FILE", required = true)]
        keys: Vec<PathBuf>,
        /// File for the signed authority.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// File for the log-policy that it gives.
        #[arg(long, value_name = "FILE")]
        log_policy: PathBuf,
    },
    /// Log the authority, let the signers generate the CA key, and have them sign the CA certificate. Run again, it goes on
    /// from where it stopped.
    Init {
        /// The service's admin socket.
        #[arg(long, value_name = "SOCKET")]
        socket: PathBuf,
        /// The signed authority file.
        #[arg(long, value_name = "FILE")]
        authority: PathBuf,
        /// An administrator's key; k of them are needed for the key operations.
        #[arg(long = "key", value_name = "FILE", required = true)]
        keys: Vec<PathBuf>,
        /// Years for which the CA certificate is valid.
        #[arg(long, default_value_t = 10)]
        years: u32,
        /// The organisation in the CA certificate's subject.
        #[arg(long)]
        organization: Option<String>,
        /// Found a root, which certifies CAs (`bauta ca certify`) and issues nothing to holders.
        #[arg(long)]
        root: bool,
        /// How many CAs may stand between the root and a holder's certificate.
        #[arg(long, value_name = "N", requires = "root", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=4))]
        path_length: u8,
        /// File for the CA certificate (PEM).
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Print the transcript of a key generation or resharing: what each signer committed to, and its signature.
    Transcript {
        /// The object of the log that the authority file names, `objects/<sha256>`.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Have the signers sign a PKCS#10 request, by which another CA certifies this one.
    Request(CaRequest),
    /// Log the certificate that another CA made for this one, so that issued chains lead to that CA's root.
    Install(CaInstall),
    /// As a root: certify another CA by its request.
    Certify(CaCertify),
    /// Let the signers generate the next CA key and certify it. It takes over when its certificate begins to be valid; the key
    /// before stays good until it is retired.
    Rotate(CaRotate),
    /// Take a CA key away: the log says so, and the signers erase their shares of it.
    Retire(CaRetire),
    /// Log the next version of the authority file: other signers, numbers or custodians. See docs/signers.md.
    Change(CaChange),
    /// Give the signers that hold shares of a CA key new ones: old ones are worthless then. The key stays what it is. See
    /// docs/keys.md.
    Refresh {
        #[command(flatten)]
        order: KeyOrder,
        /// A signer whose present share is used; t of them, or else any t that are connected.
        #[arg(long = "dealer", value_name = "SIGNER")]
        dealers: Vec<String>,
    },
    /// Give other signers the shares of a CA key, or by another threshold. The key stays what it is.
    Reshare {
        #[command(flatten)]
        order: KeyOrder,
        /// A signer that gets a share; all that the authority names if none is given.
        #[arg(long = "signer", value_name = "SIGNER")]
        signers: Vec<String>,
        /// How many of the new shares make a signature; the authority's t if it is not given.
        #[arg(long)]
        threshold: Option<usize>,
        /// A signer whose present share is used; t of them, or else any t that are connected.
        #[arg(long = "dealer", value_name = "SIGNER")]
        dealers: Vec<String>,
    },
    /// Have others make a signer's lost share again. It is compared with the published one.
    Repair {
        #[command(flatten)]
        order: KeyOrder,
        /// The signer whose share is lost.
        #[arg(long, value_name = "SIGNER")]
        signer: String,
        /// A signer that helps; t of them, or else any t others that are connected.
        #[arg(long = "helper", value_name = "SIGNER")]
        helpers: Vec<String>,
    },
}

/// Who acts on a running CA.
#[derive(Args)]
pub(crate) struct CaOperator {
    /// The service's admin socket.
    #[arg(long, value_name = "SOCKET")]
    pub(crate) socket: PathBuf,
    /// An administrator's key; k of them are needed.
    #[arg(long = "key", value_name = "FILE", required = true)]
    pub(crate) keys: Vec<PathBuf>,
}

/// `bauta ca change`.
#[derive(Args)]
pub(crate) struct CaChange {
    #[command(flatten)]
    pub(crate) operator: CaOperator,
    /// The public file (signer.json) of a signer that joins, or that takes the place of the one of its name under new keys.
    #[arg(long = "signer", value_name = "FILE")]
    pub(crate) signers: Vec<PathBuf>,
    /// A signer that leaves.
    #[arg(long = "without", value_name = "SIGNER")]
    pub(crate) without: Vec<String>,
    /// The numbers from now on, n to c: signers, threshold, cosignatures, bad ones tolerated, ones that may be down. Without it,
    /// all but n stay.
    #[arg(long, value_name = "N,T,Q,F,C", value_parser = quorum)]
    pub(crate) quorum: Option<Quorum>,
    /// Who keeps whose backups from now on: a JSON list of {"name": …, "recipient": "age1…", "signers": […]}. See docs/keys.md.
    #[arg(long, value_name = "FILE")]
    pub(crate) custodians: Option<PathBuf>,
    /// Also write the log-policy that wallets and auditors need from now on.
    #[arg(long, value_name = "FILE")]
    pub(crate) log_policy: Option<PathBuf>,
}

/// Reads N,T,Q,F,C.
fn quorum(text: &str) -> Result<Quorum, String> {
    let numbers = text
        .split(',')
        .map(|number| number.trim().parse().ok())
        .collect::<Option<Vec<usize>>>();
    let Some([n, t, q, f, c]) = numbers.as_deref() else {
        return Err("five numbers with commas between them, such as 5,3,4,2,1".to_owned());
    };
    let quorum = Quorum {
        n: *n,
        t: *t,
        q: *q,
        f: *f,
        c: *c,
    };
    quorum.check().map_err(|error| error.to_string())?;
    Ok(quorum)
}

/// `bauta ca request`.
#[derive(Args)]
pub(crate) struct CaRequest {
    #[command(flatten)]
    pub(crate) operator: CaOperator,
    /// Name of the CA key; the newest issuing one where it is not said.
    #[arg(long, value_name = "NAME")]
    pub(crate) ca_key: Option<String>,
    /// File for the request (PEM).
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

/// `bauta ca install`.
#[derive(Args)]
pub(crate) struct CaInstall {
    #[command(flatten)]
    pub(crate) operator: CaOperator,
    /// The certificate (PEM); what follows it in the file is the chain above it.
    #[arg(long, value_name = "FILE")]
    pub(crate) certificate: PathBuf,
    /// Certificates between it and the root (PEM), each followed by its issuer.
    #[arg(long, value_name = "FILE")]
    pub(crate) chain: Option<PathBuf>,
    /// The root (PEM) that relying parties trust: the chain must verify under it.
    #[arg(long, value_name = "FILE")]
    pub(crate) root: PathBuf,
}

/// `bauta ca certify`.
#[derive(Args)]
pub(crate) struct CaCertify {
    #[command(flatten)]
    pub(crate) operator: CaOperator,
    /// The other CA's request (PEM), as `bauta ca request` wrote it.
    #[arg(long, value_name = "FILE")]
    pub(crate) request: PathBuf,
    /// The SPIFFE trust domain that the other CA issues for.
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) trust_domain: String,
    /// Years for which the certificate is valid, if the root's lasts as long.
    #[arg(long, default_value_t = 5)]
    pub(crate) years: u32,
    /// How many CAs may stand between the other CA and a holder's certificate: 0 for an issuing CA.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) path_length: u8,
    /// Name of the root key; the newest one where it is not said.
    #[arg(long, value_name = "NAME")]
    pub(crate) ca_key: Option<String>,
    /// File for the certificate (PEM).
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

/// `bauta ca rotate`.
#[derive(Args)]
pub(crate) struct CaRotate {
    #[command(flatten)]
    pub(crate) operator: CaOperator,
    /// Days, from the last midnight (UTC), after which the new key takes over: relying parties add its certificate meanwhile.
    #[arg(long, value_name = "DAYS", default_value_t = 7)]
    pub(crate) notice_days: u32,
    /// Years for which the CA certificate is valid.
    #[arg(long, default_value_t = 10)]
    pub(crate) years: u32,
    /// File for the new CA certificate (PEM).
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

/// `bauta ca retire`.
#[derive(Args)]
pub(crate) struct CaRetire {
    #[command(flatten)]
    pub(crate) operator: CaOperator,
    /// Name of the CA key.
    #[arg(long, value_name = "NAME")]
    pub(crate) ca_key: String,
    /// Even if certificates that it signed may be in use, or it issues now: then nothing is issued until another key does.
    #[arg(long)]
    pub(crate) at_once: bool,
}

/// What every order about a key's shares says.
#[derive(clap::Args)]
pub(crate) struct KeyOrder {
    /// The service's admin socket.
    #[arg(long, value_name = "SOCKET")]
    pub(crate) socket: PathBuf,
    /// An administrator's key; k of them are needed.
    #[arg(long = "key", value_name = "FILE", required = true)]
    pub(crate) keys: Vec<PathBuf>,
    /// The CA key's name, if there is more than one.
    #[arg(long, value_name = "NAME")]
    pub(crate) ca_key: Option<String>,
}

impl KeyOrder {
    /// With the signers whose present shares are used.
    pub(crate) fn with<'a>(&'a self, givers: &'a [String]) -> crate::operator::life::Order<'a> {
        crate::operator::life::Order {
            socket: &self.socket,
            keys: &self.keys,
            ca_key: self.ca_key.as_deref(),
            givers,
        }
    }
}

/// `bauta ca invite`.
#[derive(Args)]
pub(crate) struct Invite {
    /// The node's name: one per CA.
    #[arg(long)]
    pub(crate) name: String,
    /// Trust domain of the CA.
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) trust_domain: String,
    /// Where the coordinator will listen.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) coordinator: String,
    /// Folder of the service's keys, for the log's key and the coordinator's pin.
    #[arg(long, value_name = "DIR")]
    pub(crate) service_keys: PathBuf,
    /// For a trial: keys may be sealed by a passphrase.
    #[arg(long)]
    pub(crate) development: bool,
    /// Days in which an answer is taken.
    #[arg(long, default_value_t = 14, value_parser = clap::value_parser!(u64).range(1..=365))]
    pub(crate) days: u64,
    /// The holder's age recipient (age1…).
    #[arg(
        long,
        value_name = "AGE1",
        required_unless_present = "passphrase_file",
        conflicts_with = "passphrase_file"
    )]
    pub(crate) recipient: Option<String>,
    /// File (mode 600) whose first line is a passphrase that you give to the holder by another way.
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Folder where what is needed to check the answer is kept (mode 700).
    #[arg(long, value_name = "DIR")]
    pub(crate) invitations: PathBuf,
    /// File for the package.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

/// `bauta ca accept`.
#[derive(Args)]
pub(crate) struct Accept {
    /// The answer (answer.json).
    #[arg(value_name = "ANSWER")]
    pub(crate) answer: PathBuf,
    /// Folder that `bauta ca invite` keeps.
    #[arg(long, value_name = "DIR")]
    pub(crate) invitations: PathBuf,
    /// The fingerprint that the holder read to you, to be compared.
    #[arg(long, value_name = "TEXT")]
    pub(crate) fingerprint: Option<Fingerprint>,
    /// File for the node's public keys, as the plan names them.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

/// `bauta policy`.
#[derive(Subcommand)]
pub(crate) enum Policy {
    /// Check a policy or another file, signed or only its JSON body, and warn of what is likely a mistake.
    Check {
        /// The file.
        file: PathBuf,
        /// Its type, where it is only a JSON body.
        #[arg(long = "type", value_parser = kind, default_value = "policy")]
        kind: Kind,
    },
    /// Sign a JSON body as a file, or add signatures to one that is signed already.
    Sign(SignFile),
    /// Log a signed file through the service's admin socket.
    Publish {
        /// The signed files, in order.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Folder of verifying keys that a `parameters` file names (what `bauta parameters --out` wrote).
        #[arg(long, value_name = "DIR")]
        objects: Option<PathBuf>,
        /// The service's admin socket.
        #[arg(long, value_name = "SOCKET")]
        socket: PathBuf,
    },
}

/// `bauta policy sign`.
#[derive(Args)]
pub(crate) struct SignFile {
    /// A JSON body, or a signed file that more sign.
    pub(crate) file: PathBuf,
    /// Its type: policy, schema, issuer-set, key-operation, parameters or tombstone.
    #[arg(long = "type", value_parser = kind, default_value = "policy")]
    pub(crate) kind: Kind,
    /// The trust domain it is for.
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) trust_domain: Option<String>,
    /// Its name; a policy's or schema's is in its body.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Its version.
    #[arg(long, default_value_t = 1)]
    pub(crate) version: u64,
    /// When it stops counting (RFC 3339, UTC); a year from now where it is not said.
    #[arg(long, value_name = "TIME")]
    pub(crate) expires: Option<String>,
    /// An administrator's key; repeatable.
    #[arg(long = "key", value_name = "FILE", required = true)]
    pub(crate) keys: Vec<PathBuf>,
    /// File for the signed file.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

/// `bauta epoch`.
#[derive(Subcommand)]
pub(crate) enum Epoch {
    /// Log the epoch that is due.
    Publish {
        /// The service's admin socket.
        #[arg(long, value_name = "SOCKET")]
        socket: PathBuf,
    },
}

/// `bauta parameters`.
#[derive(Args)]
pub(crate) struct Parameters {
    /// Folder of parameter sets; made there if they are missing.
    #[arg(long, value_name = "DIR")]
    pub(crate) parameters: Option<PathBuf>,
    /// Write the verifying keys and the JSON body of a `parameters` file here.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

fn kind(word: &str) -> Result<Kind, String> {
    serde_json::from_value(serde_json::Value::String(word.to_owned())).map_err(|_| {
        "expected policy, schema, issuer-set, revocation-list, key-operation, parameters, authority or tombstone".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
