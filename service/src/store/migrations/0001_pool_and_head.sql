-- What the service must not forget: what was spent, what was admitted, and where the log stands.

-- The head that the sequencer holds; its compare-and-swap is the moment at which a batch enters the log.
CREATE TABLE log_head (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    size BIGINT  NOT NULL,
    root BLOB    NOT NULL,
    time BIGINT  NOT NULL -- of the newest entry; a batch's time never goes back
);

-- Batches that are staged under the head they lead to.
CREATE TABLE staged (
    root  BLOB PRIMARY KEY,
    batch BLOB NOT NULL
);

-- The pool, and what became of each entry.
CREATE TABLE entries (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    request     BLOB   NOT NULL UNIQUE, -- SHA-256 of the request: the same bytes again are the same entry
    kind        TEXT   NOT NULL CHECK (kind IN ('issuance', 'other')),
    body        BLOB   NOT NULL,        -- the entry, its time still 0
    nullifier   BLOB,
    csr         BLOB   NOT NULL,        -- travels to the signers beside the entry, as do the openings
    openings    BLOB   NOT NULL,
    admitted    BIGINT NOT NULL,
    status      TEXT   NOT NULL CHECK (status IN ('pooled', 'locked', 'logged', 'signed', 'lapsed', 'dropped')),
    time        BIGINT,
    log_index   BIGINT UNIQUE,
    reason      TEXT,
    certificate BLOB,
    proof       BLOB
);
CREATE INDEX entries_by_status ON entries (status, id);
CREATE INDEX entries_by_admission ON entries (admitted);

-- Spent nonces, until their challenge has expired.
CREATE TABLE nonces (
    nonce  BLOB   PRIMARY KEY,
    expiry BIGINT NOT NULL
);
CREATE INDEX nonces_by_expiry ON nonces (expiry);

-- Nullifiers, each spent on one policy name and one key, until their scope's period ends.
CREATE TABLE nullifiers (
    nullifier BLOB    PRIMARY KEY,
    policy    TEXT    NOT NULL,
    key       BLOB    NOT NULL,
    until     BIGINT  NOT NULL,
    logged    BOOLEAN NOT NULL -- a logged one stays; one whose entry was dropped is free again
);
CREATE INDEX nullifiers_by_end ON nullifiers (until);
CREATE INDEX nullifiers_not_logged ON nullifiers (nullifier) WHERE NOT logged;

-- The certificates of the CA's keys, as their threshold signature made them.
CREATE TABLE ca_certificates (
    ca_key      BLOB PRIMARY KEY,
    certificate BLOB NOT NULL
);
