//! A holder, an issuer and a CA on paper: what a page would have fetched and what its wallet would hold.

use std::path::Path;

use bauta_prover::credential::Credential;
use bauta_prover::wallet::Stored;
use bauta_statement::challenge::ChallengeKey;
use bauta_statement::credential::{HolderSecret, IssuedCredential};
use bauta_statement::csr::Request;
use bauta_statement::eddsa::SigningKey;
use bauta_statement::entry::{Body, Entry};
use bauta_statement::epoch::{Epoch, PolicyInForce, encode_root};
use bauta_statement::field;
use bauta_statement::file::authority::{Administrators, LogIdentity, Mode, Quorum, Signer};
use bauta_statement::file::parameters::{Parameters, Provenance, RelationParameters};
use bauta_statement::file::{Authority, Header, Kind, SignedFile, to_text};
use bauta_statement::note::{CosignatureKey, NoteSigner, sha256, sign};
use bauta_statement::policy::RelationName;
use bauta_statement::relation::Relation;
use bauta_statement::schema::Schema;
use bauta_statement::tree::{self, ISSUER_SET_DEPTH, RevocationTree};
use bauta_statement::vector::{AttributeValue, ORIGIN};
use rand_core::OsRng;
use serde::Serialize;
use serde_json::json;

use super::{Folder, Plan};

const DAY: u64 = 86_400;
const EPOCH: u32 = 3600;
const START: u64 = 20_000 * DAY;
const NOW: u64 = START + 600;
const END: u64 = START + 100 * DAY;
const DOMAIN: &str = "example.org";
const LOG: &str = "log.example.org";

/// Writes everything; the parameters come from a cache folder, where they are made if they are not there.
pub(crate) fn write(folder: &Folder, parameters: &Path) -> anyhow::Result<()> {
    let parameters = copy_parameters(folder, parameters)?;
    let administrator = NoteSigner::from_secret("admin", &[1; 32])?;
    let file = |kind, name: &str, body: &serde_json::Value| -> anyhow::Result<Vec<u8>> {
        Ok(sign(&text(kind, name, body)?, &[&administrator])?)
    };

    let issuer = SigningKey::generate(&mut OsRng);
    let schema: Schema =
        serde_json::from_str(include_str!("../../../../docs/examples/schema.json"))?;
    let holder = HolderSecret::generate(&mut OsRng);
    let commitment = holder.commitment();
    let mut attributes = std::array::from_fn(|_| AttributeValue::Absent);
    for (place, value) in attributes.iter_mut().zip([
        AttributeValue::Text("Arsenale".into()),
        AttributeValue::Text("Carpentry".into()),
        AttributeValue::Integer(3),
        AttributeValue::Text("ada@arsenale.example".into()),
    ]) {
        *place = value;
    }
    let credential = IssuedCredential::sign(
        &issuer,
        &mut OsRng,
        schema.rule(),
        START - DAY,
        END,
        5_000,
        attributes,
        commitment,
    )
    .accept(holder)?;
    let origin = credential.vector().get(ORIGIN);

    // Of one of 256 organisations, and a carpenter or of level 7 or above: the policy of the benches.
    let mut organisations = vec!["Arsenale".to_owned()];
    organisations.extend((1..256).map(|number| format!("Guild {number}")));
    let policy = file(
        Kind::Policy,
        "carpenters",
        &json!({
            "name": "carpenters",
            "issuer_set": "members",
            "schema": "employee",
            "predicates": [
                { "attribute": "organisation", "slot": 5, "type": "text", "one_of": organisations },
                { "attribute": "department", "slot": 6, "type": "text", "equals": "Carpentry", "any_of": true },
                { "attribute": "level", "slot": 7, "type": "integer", "at_least": 7, "any_of": true }
            ],
            "disclose": [{ "attribute": "organisation", "slot": 5, "type": "text" }],
            "scope": { "name": "daily-keys", "period_seconds": DAY, "bound": 5 }
        }),
    )?;
    let digest = SignedFile::parse(&policy)?.digest();

    let revoked: Vec<u64> = (1..100).map(|number| number * 1_000_003).collect();
    let mut tree = RevocationTree::new();
    tree.extend(&revoked)?;
    let place = PolicyInForce {
        policy: digest,
        object: sha256(&policy),
        issuer_root: encode_root(&tree::members_root(&[origin], ISSUER_SET_DEPTH)?),
    };
    let epoch = Epoch {
        number: START / u64::from(EPOCH),
        start: START,
        length: EPOCH,
        authority: [0; 32],
        parameters: [0; 32],
        ca_key: [0; 32],
        ca_certificate: [0; 32],
        schemas: Vec::new(),
        issuer_sets: Vec::new(),
        policies: vec![place],
        revocation_lists: Vec::new(),
        revocation_root: encode_root(&tree.root()),
        revocation_count: u32::try_from(revoked.len())?,
    };
    // The epoch, and two that the module must refuse: of a CA in production, and with keys that are not the set's.
    let authority = authority(&administrator)?;
    let production = Authority {
        mode: Mode::Production,
        enterprise_number: 1,
        ..authority.clone()
    };
    let mut others = parameters.clone();
    for one in &mut others.relations {
        one.verifying_key = [one.relation.0.code(); 32];
    }
    for (at, authority, parameters) in [
        ("", &authority, &parameters),
        ("production/", &production, &parameters),
        ("other-keys/", &authority, &others),
    ] {
        let authority = sign(&authority.to_text()?, &[&administrator])?;
        let parameters = file(
            Kind::Parameters,
            "parameters",
            &serde_json::to_value(parameters)?,
        )?;
        let epoch = Epoch {
            authority: sha256(&authority),
            parameters: sha256(&parameters),
            ..epoch.clone()
        };
        let entry = Entry::new(START - 600, Body::Epoch(epoch)).encode()?;
        folder.write(&format!("{at}authority.txt"), &authority)?;
        folder.write(&format!("{at}parameters.txt"), &parameters)?;
        folder.write(&format!("{at}epoch.bin"), &entry)?;
    }
    let challenge = ChallengeKey::new([2; 32]).issue(&mut OsRng, NOW, 300, digest);
    let request = Request::from_der(include_bytes!("../../../../vectors/csr/p256.der"))?;
    let wallet = Stored {
        credential: Credential::Native(credential),
        possession: None,
        policies: Vec::new(),
        uses: Vec::new(),
    };
    let plan = Plan {
        now: NOW.to_string(),
        counter: 2,
        revoked: revoked.iter().map(u64::to_string).collect(),
        relations: Relation::BASIC.map(|one| one.name().to_owned()).to_vec(),
    };
    for (name, bytes) in [
        ("wallet.bin", wallet.encode().as_slice()),
        ("policy.txt", &policy),
        ("origins.bin", &field::to_bytes(&origin)),
        ("challenge.bin", &challenge.encode()),
        ("spki.der", request.key.spki()),
        ("plan.json", &serde_json::to_vec_pretty(&plan)?),
    ] {
        folder.write(name, bytes)?;
    }
    Ok(())
}

fn text(kind: Kind, name: &str, body: &impl Serialize) -> anyhow::Result<String> {
    let header = Header {
        kind,
        trust_domain: DOMAIN.to_owned(),
        name: name.to_owned(),
        version: 1,
        expires: END,
    };
    Ok(to_text(&header, body)?)
}

/// Copies each parameter set of the cache to `keys/<relation>/`, and gives the body of the file that names them.
fn copy_parameters(folder: &Folder, cache: &Path) -> anyhow::Result<Parameters> {
    let mut relations = Vec::new();
    for relation in Relation::BASIC {
        let set = bauta_setup::load_or_make(cache, relation, &mut |_| ())?;
        let verifying = set.verifying_key();
        relations.push(RelationParameters {
            relation: RelationName(relation),
            verifying_key: verifying.digest(),
            length: u32::try_from(verifying.encode().len())?,
            provenance: Provenance::Development,
        });
        bauta_setup::save(
            &folder.0.join("keys").join(relation.name()),
            relation,
            bauta_setup::Provenance::Development,
            set.proving_key(),
        )?;
    }
    Ok(Parameters { relations })
}

fn authority(administrator: &NoteSigner) -> anyhow::Result<Authority> {
    let key = |name: &str, seed: u8| NoteSigner::from_secret(name, &[seed; 32]);
    let signers = (0..5u8)
        .map(|number| {
            let name = format!("signer-{number}");
            let cosigner = format!("{name}.example.org");
            Ok(Signer {
                cosignature: CosignatureKey::new(
                    &cosigner,
                    &key(&cosigner, 20 + number)?.verifier().public(),
                )?,
                tls: [number; 32],
                approval: key(&name, 30 + number)?.verifier().into(),
                name,
            })
        })
        .collect::<anyhow::Result<_>>()?;
    Ok(Authority {
        trust_domain: DOMAIN.to_owned(),
        version: 1,
        expires: END,
        ca_name: "Example CA".to_owned(),
        mode: Mode::Development,
        enterprise_number: 32473,
        epoch_seconds: EPOCH,
        log: LogIdentity {
            origin: LOG.to_owned(),
            key: key(LOG, 3)?.verifier(),
        },
        administrators: Administrators {
            k: 1,
            keys: vec![administrator.verifier()],
        },
        signers,
        quorum: Quorum::FIVE,
        custodians: Vec::new(),
        ca_keys: Vec::new(),
    })
}
