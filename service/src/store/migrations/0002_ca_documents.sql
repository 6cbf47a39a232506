-- A CA key signs more than one certificate, and requests: all that it signed by key operations, by the SHA-256 of what was
-- signed. What is of before this table stands under its key, and is told by its bytes like the others.
CREATE TABLE ca_documents (
    signed   BLOB PRIMARY KEY,
    document BLOB NOT NULL
);
INSERT INTO ca_documents (signed, document) SELECT ca_key, certificate FROM ca_certificates;
DROP TABLE ca_certificates;
