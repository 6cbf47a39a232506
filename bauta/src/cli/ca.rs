//! `bauta ca`: founding a CA and keeping its key.

use std::path::PathBuf;

use bauta_statement::file::{authority::Quorum, fingerprint::Fingerprint};
use clap::{Args, Subcommand};

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
