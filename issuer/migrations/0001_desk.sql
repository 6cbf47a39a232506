-- The enrolment desk: who enrolled, what was issued, what was revoked. Secrets of holders never come here.

CREATE TABLE subject (
    subject    TEXT PRIMARY KEY NOT NULL,  -- value of the schema's subject key
    commitment BLOB NOT NULL,              -- 32 bytes: commitment to the holder secret
    starts     INTEGER NOT NULL,           -- no credential under this commitment is valid before (Unix seconds)
    enrolled   INTEGER NOT NULL,           -- first enrolment (Unix seconds)
    barred     INTEGER NOT NULL DEFAULT 0, -- 1: revoked by the operator, no enrolment until reinstated
    leaked     INTEGER NOT NULL DEFAULT 0  -- 1: this commitment's secret is known to others, only a reset is taken
) STRICT;

CREATE INDEX subject_by_commitment ON subject (commitment);

CREATE TABLE credential (
    serial     BLOB PRIMARY KEY NOT NULL,
    subject    TEXT NOT NULL REFERENCES subject (subject),
    commitment BLOB NOT NULL,
    source     BLOB NOT NULL,              -- SHA-256 of the X.509 certificate that it was read from
    issued     INTEGER NOT NULL,
    not_after  INTEGER NOT NULL,
    bytes      BLOB NOT NULL               -- what the holder received, so that a repeated request returns the same
) STRICT;

CREATE INDEX credential_by_subject ON credential (subject, not_after);

-- In the order in which lists name them: a new list extends the former one.
CREATE TABLE revocation (
    position   INTEGER PRIMARY KEY AUTOINCREMENT,
    serial     BLOB NOT NULL UNIQUE,
    revoked    INTEGER NOT NULL
) STRICT;

CREATE TABLE revocation_list (
    version    INTEGER PRIMARY KEY NOT NULL,
    expires    INTEGER NOT NULL,
    note       BLOB NOT NULL
) STRICT;
