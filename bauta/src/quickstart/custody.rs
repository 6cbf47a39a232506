//! Where the signers' keys are: under passphrases, or in PKCS#11 tokens. SoftHSM2's are made here, a folder for each signer; tokens of
//! any other module are used as they are and never initialised. What was chosen at a folder's first start is written beside the
//! signers' keys, and stays.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, bail};
use bauta_signer::{
    commands::Sharing,
    token::{self, Opening, SlotName, Token, TokenConfig},
};

use super::{
    authorities::{SIGNERS, random_secret},
    layout::Layout,
};
use crate::{
    cli::Quickstart,
    files,
    print::{Exit, Failure},
};

/// Where distributions put SoftHSM2's module.
const SOFTHSM2: [&str; 5] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/lib/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
];

/// Where the keys are.
pub(super) enum Custody {
    /// Sealed by a random passphrase, in a file beside them.
    Passphrases,
    /// In SoftHSM2 tokens, made for the occasion.
    SoftHsm2(PathBuf),
    /// In tokens that are there, one for each signer.
    Tokens(Vec<TokenConfig>),
    /// In one token that is there, through one process.
    Shared(TokenConfig),
}

impl Custody {
    /// What the command line says.
    pub(super) fn chosen(arguments: &Quickstart) -> anyhow::Result<Self> {
        let Some(token) = &arguments.token else {
            return Ok(Self::Passphrases);
        };
        let environment: BTreeMap<_, _> = arguments.module_environment.iter().cloned().collect();
        if token.as_os_str() == "softhsm2" {
            if !(arguments.slot.is_empty() && arguments.pin_file.is_empty()) {
                bail!(
                    "`--token softhsm2` makes its own tokens: leave --slot and --pin-file out, or name the module's path"
                );
            }
            return softhsm2().map(Self::SoftHsm2);
        }
        if !token.exists() {
            return Err(Failure::new(
                Exit::Missing,
                format!(
                    "there is no PKCS#11 module {}: name the vendor's, or softhsm2",
                    token.display()
                ),
            ));
        }
        let absolute = |path: &Path| {
            std::path::absolute(path).with_context(|| format!("cannot find {}", path.display()))
        };
        let module = absolute(token)?;
        let config = |slot: &SlotName, pin: &Path| -> anyhow::Result<TokenConfig> {
            Ok(TokenConfig {
                module: Some(module.clone()),
                slot: Some(slot.clone()),
                pin_file: Some(absolute(pin)?),
                environment: environment.clone(),
                shared: None,
            })
        };
        match (arguments.slot.as_slice(), arguments.pin_file.as_slice()) {
            ([slot], [pin]) => Ok(Self::Shared(config(slot, pin)?)),
            (slots, pins) if slots.len() == SIGNERS && pins.len() == SIGNERS => slots
                .iter()
                .zip(pins)
                .map(|(slot, pin)| config(slot, pin))
                .collect::<anyhow::Result<_>>()
                .map(Self::Tokens),
            (slots, pins) => bail!(
                "name one token by --slot and --pin-file for all signers, or {SIGNERS} of each in their order; there are {} and {}",
                slots.len(),
                pins.len()
            ),
        }
    }

    /// What was chosen for a folder stays: another choice is refused.
    pub(super) fn check(&self, layout: &Layout) -> anyhow::Result<()> {
        let token = layout.signer_token(1).exists();
        if layout.authority().exists() && !token && !matches!(self, Self::Passphrases) {
            bail!(
                "the signers of {} keep their keys under passphrases, as was chosen at its first start: take another folder with --data",
                layout.root().display()
            );
        }
        Ok(())
    }

    /// A sentence for the story.
    pub(super) fn sentence(layout: &Layout) -> &'static str {
        if !layout.signer_token(1).exists() {
            "their keys are sealed by passphrases, for trying out (`--token softhsm2` puts them in PKCS#11 tokens)"
        } else if layout.sharing().exists() {
            "their keys are in one PKCS#11 token, which seals their shares, behind one process"
        } else {
            "each has a PKCS#11 token, which seals its share and signs its cosignatures, approvals and TLS handshakes"
        }
    }

    /// Writes the configuration of the process that holds a shared token, if there is to be one.
    pub(super) fn share(&self, layout: &Layout) -> anyhow::Result<()> {
        let Self::Shared(token) = self else {
            // Of a start that was cut short, with another choice.
            let _ = std::fs::remove_file(layout.sharing());
            return Ok(());
        };
        let folder = layout.sharing();
        let folder = folder.parent().context("a folder for the socket")?;
        files::private_folder(folder)?;
        let sharing = Sharing {
            token: token.clone(),
            socket: layout.token_socket(),
        };
        files::write(&layout.sharing(), &serde_json::to_vec_pretty(&sharing)?)
    }

    /// Makes a signer's keys in `folder`/keys. Keys in a token that was there before are made once, since nothing destroys them.
    pub(super) fn make_keys(&self, layout: &Layout, number: usize) -> anyhow::Result<()> {
        let folder = layout.signer(number);
        let keys = folder.join("keys");
        let name = format!("signer-{number}");
        let config = match self {
            Self::Passphrases => {
                super::authorities::renew(&folder)?;
                let passphrase = folder.join("passphrase");
                files::new_secret(&passphrase, format!("{}\n", random_secret()).as_bytes())?;
                bauta_signer::keys::create_sealed(&keys, &name, Some(&passphrase))?;
                return Ok(());
            }
            Self::SoftHsm2(module) => {
                super::authorities::renew(&folder)?;
                initialise(module, &folder, &name)?
            }
            Self::Tokens(tokens) => tokens
                .get(number - 1)
                .context("a token for each signer")?
                .clone(),
            Self::Shared(_) => TokenConfig {
                shared: Some(layout.token_socket()),
                ..TokenConfig::default()
            },
        };
        files::private_folder(&folder)?;
        files::write(
            &layout.signer_token(number),
            &serde_json::to_vec_pretty(&config)?,
        )?;
        if !keys.join(bauta_signer::keys::PUBLIC_FILE).exists() {
            let opening = Opening {
                write: true,
                ..Opening::default()
            };
            token::create(&keys, &name, &Token::open(&config, opening)?)?;
        }
        Ok(())
    }
}

/// The token of a signer, as it was chosen at the first start.
pub(super) fn token_of(layout: &Layout, number: usize) -> anyhow::Result<Option<TokenConfig>> {
    let path = layout.signer_token(number);
    if !path.exists() {
        return Ok(None);
    }
    serde_json::from_slice(&files::read(&path, 65_536)?)
        .with_context(|| format!("{} is damaged", path.display()))
        .map(Some)
}

fn softhsm2() -> anyhow::Result<PathBuf> {
    let util = Command::new("softhsm2-util")
        .arg("--version")
        .stdin(Stdio::null())
        .output();
    let module = SOFTHSM2.iter().map(Path::new).find(|path| path.exists());
    match (util, module) {
        (Ok(_), Some(module)) => Ok(module.to_owned()),
        _ => Err(Failure::new(
            Exit::Missing,
            "SoftHSM2 is not installed; on Debian and Ubuntu, as root: apt install softhsm2",
        )),
    }
}

/// Makes a SoftHSM2 token in a folder of its own: five processes on one folder fail.
fn initialise(module: &Path, folder: &Path, label: &str) -> anyhow::Result<TokenConfig> {
    let softhsm2 = folder.join("softhsm2");
    let tokens = softhsm2.join("tokens");
    files::private_folder(&tokens)?;
    let conf = softhsm2.join("softhsm2.conf");
    let text = format!(
        "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
        tokens.display()
    );
    files::write(&conf, text.as_bytes())?;
    let pin = random_secret();
    let pin_file = softhsm2.join("pin");
    files::new_secret(&pin_file, format!("{pin}\n").as_bytes())?;
    // SoftHSM2's tool takes PINs in no other way that needs no terminal. Whoever sees this one cannot enter the folder.
    let output = Command::new("softhsm2-util")
        .args(["--init-token", "--free", "--label", label])
        .args(["--so-pin", &random_secret(), "--pin", &pin])
        .env("SOFTHSM2_CONF", &conf)
        .stdin(Stdio::null())
        .output()
        .context("cannot start softhsm2-util")?;
    if !output.status.success() {
        bail!(
            "softhsm2-util made no token in {}: {}",
            tokens.display(),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(TokenConfig {
        module: Some(module.to_owned()),
        slot: Some(SlotName::Label(label.to_owned())),
        pin_file: Some(pin_file),
        environment: [("SOFTHSM2_CONF".to_owned(), conf.display().to_string())].into(),
        shared: None,
    })
}
