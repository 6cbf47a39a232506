//! Every statement, in one place: a test prepares each on a migrated database, so that a typing error cannot wait for its
//! first use. The dialect is what SQLite and PostgreSQL share.

macro_rules! statements {
    ($($name:ident = $sql:literal;)*) => {
        $(pub(super) const $name: &str = $sql;)*
        #[cfg(test)]
        pub(super) const ALL: &[(&str, &str)] = &[$((stringify!($name), $sql)),*];
    };
}

statements! {
    HEAD = "SELECT size, root, time FROM log_head WHERE id = 1";
    FIRST_HEAD = "INSERT INTO log_head (id, size, root, time) VALUES (1, 0, $1, 0) ON CONFLICT (id) DO NOTHING";
    SWAP_HEAD = "UPDATE log_head SET size = $1, root = $2, time = $3 WHERE id = 1 AND size = $4 AND root = $5";
    SWAP_HEAD_BACK = "UPDATE log_head SET size = $1, root = $2 WHERE id = 1 AND size = $3 AND root = $4";
    STAGE = "INSERT INTO staged (root, batch) VALUES ($1, $2) ON CONFLICT (root) DO NOTHING";
    STAGED = "SELECT batch FROM staged WHERE root = $1";
    UNSTAGE_ALL = "DELETE FROM staged";
    UNSTAGE_PUBLISHED = "DELETE FROM staged WHERE NOT EXISTS
        (SELECT 1 FROM log_head WHERE log_head.root = staged.root AND log_head.size > $1)";

    KNOWN_REQUEST = "SELECT id FROM entries WHERE request = $1";
    WAITING = "SELECT id FROM entries WHERE status IN ('pooled', 'locked') AND kind = 'other' AND body = $1";
    COUNT_POOLED = "SELECT COUNT(*) FROM entries WHERE status = 'pooled'";
    SPEND_NONCE = "INSERT INTO nonces (nonce, expiry) VALUES ($1, $2) ON CONFLICT (nonce) DO NOTHING";
    NULLIFIER = "SELECT policy, key FROM nullifiers WHERE nullifier = $1";
    SPEND_NULLIFIER = "INSERT INTO nullifiers (nullifier, policy, key, until, logged) VALUES ($1, $2, $3, $4, FALSE)";
    ADMIT = "INSERT INTO entries (request, kind, body, nullifier, csr, openings, admitted, status)
        VALUES ($1, $2, $3, $4, $5, $6, $7, 'pooled') RETURNING id";

    POOLED = "SELECT id, kind, body FROM entries WHERE status = 'pooled' ORDER BY id LIMIT $1";
    LOCK = "UPDATE entries SET status = 'locked', log_index = $1, time = $2 WHERE id = $3 AND status = 'pooled'";
    UNLOCK_ISSUANCES = "UPDATE entries SET status = 'pooled', log_index = NULL, time = NULL
        WHERE status = 'locked' AND kind = 'issuance'";
    DROP_LOCKED_OTHERS = "UPDATE entries SET status = 'dropped', reason = $1, log_index = NULL, time = NULL
        WHERE status = 'locked' AND kind = 'other' RETURNING id";
    LOGGED = "UPDATE entries SET status = 'logged' WHERE status = 'locked' AND log_index < $1 RETURNING id, kind";
    NULLIFIERS_LOGGED = "UPDATE nullifiers SET logged = TRUE WHERE NOT logged AND nullifier IN
        (SELECT nullifier FROM entries WHERE status = 'logged' AND nullifier IS NOT NULL)";
    DROP = "UPDATE entries SET status = 'dropped', reason = $1 WHERE id = $2 AND status = 'pooled'";
    FREE_NULLIFIER = "DELETE FROM nullifiers WHERE NOT logged
        AND nullifier = (SELECT nullifier FROM entries WHERE id = $1)
        AND NOT EXISTS (SELECT 1 FROM entries other WHERE other.nullifier = nullifiers.nullifier
            AND other.status IN ('pooled', 'locked'))";

    UNSIGNED = "SELECT id, log_index, time, csr, openings FROM entries WHERE status = 'logged' AND kind = 'issuance' ORDER BY id";
    SIGNED = "UPDATE entries SET status = 'signed', certificate = $1, proof = $2 WHERE id = $3 AND status = 'logged'";
    LAPSE = "UPDATE entries SET status = 'lapsed', reason = $1 WHERE id = $2 AND status = 'logged'";
    ENTRY = "SELECT kind, status, log_index, reason, certificate, proof FROM entries WHERE id = $1";

    PRUNE_NONCES = "DELETE FROM nonces WHERE expiry < $1";
    PRUNE_NULLIFIERS = "DELETE FROM nullifiers WHERE until < $1";
    PRUNE_ENTRIES = "DELETE FROM entries WHERE admitted < $1 AND (status IN ('signed', 'lapsed', 'dropped')
        OR (status = 'logged' AND kind = 'other'))";

    PUT_CA_DOCUMENT = "INSERT INTO ca_documents (signed, document) VALUES ($1, $2) ON CONFLICT (signed) DO NOTHING";
    CA_DOCUMENTS = "SELECT document FROM ca_documents";
}
