// Command tlogcheck reads a log folder with Go's own implementation (golang.org/x/mod/sumdb) and checks everything in it:
// the checkpoint's signature by the log, a cosignature/v1 by each cosigner, every entry's leaf hash, the root over all
// tiles, an inclusion proof of each entry and a consistency proof from each smaller size.
//
//	tlogcheck FOLDER LOG-VKEY COSIGNER-VKEY...
package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// cosigner verifies cosignature/v1 lines (C2SP tlog-cosignature), which x/mod does not know.
type cosigner struct {
	name string
	id   uint32
	key  ed25519.PublicKey
}

func newCosigner(vkey string) cosigner {
	parts := strings.SplitN(vkey, "+", 3)
	data, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(data) != 33 || data[0] != 4 {
		log.Fatalf("not a cosignature key: %s", vkey)
	}
	sum := sha256.Sum256(append([]byte(parts[0]+"\n"), data...))
	id := binary.BigEndian.Uint32(sum[:4])
	if fmt.Sprintf("%08x", id) != parts[1] {
		log.Fatalf("key id of %s", vkey)
	}
	return cosigner{parts[0], id, data[1:]}
}

func (c cosigner) Name() string    { return c.name }
func (c cosigner) KeyHash() uint32 { return c.id }
func (c cosigner) Verify(msg, sig []byte) bool {
	if len(sig) != 72 {
		return false
	}
	time := binary.BigEndian.Uint64(sig[:8])
	return ed25519.Verify(c.key, append([]byte(fmt.Sprintf("cosignature/v1\ntime %d\n", time)), msg...), sig[8:])
}

type folder string

func (f folder) Height() int                    { return 8 }
func (f folder) SaveTiles([]tlog.Tile, [][]byte) {}
func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var data [][]byte
	for _, t := range tiles {
		// x/mod writes the height into the path, tlog-tiles does not.
		path := strings.Replace(t.Path(), "tile/8/", "tile/", 1)
		bytes, err := f.read(path)
		if err != nil {
			return nil, err
		}
		data = append(data, bytes[:t.W*32])
	}
	return data, nil
}

// read falls back to the full tile where a partial one is gone.
func (f folder) read(path string) ([]byte, error) {
	bytes, err := os.ReadFile(filepath.Join(string(f), path))
	if full, _, partial := strings.Cut(path, ".p/"); err != nil && partial {
		return os.ReadFile(filepath.Join(string(f), full))
	}
	return bytes, err
}

func main() {
	dir, logKey := folder(os.Args[1]), os.Args[2]
	verifier, err := note.NewVerifier(logKey)
	check(err)
	verifiers := []note.Verifier{verifier}
	for _, vkey := range os.Args[3:] {
		verifiers = append(verifiers, newCosigner(vkey))
	}
	signed, err := dir.read("checkpoint")
	check(err)
	opened, err := note.Open(signed, note.VerifierList(verifiers...))
	check(err)
	if len(opened.Sigs) != len(verifiers) {
		log.Fatalf("%d of %d signatures", len(opened.Sigs), len(verifiers))
	}
	lines := strings.Split(opened.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err)
	root, err := tlog.ParseHash(lines[2])
	check(err)
	tree := tlog.Tree{N: size, Hash: root}

	// TileHashReader checks each tile it reads against the root.
	hashes := tlog.TileHashReader(tree, dir)
	computed, err := tlog.TreeHash(size, hashes)
	check(err)
	if computed != root {
		log.Fatal("root")
	}
	for n := int64(0); n < size; {
		path := tlog.Tile{H: 8, L: -1, N: n / 256, W: int(min(256, size-n))}.Path()
		bundle, err := dir.read(strings.Replace(path, "tile/8/data/", "tile/entries/", 1))
		check(err)
		for width := min(256, size-n); width > 0; width-- {
			length := int(binary.BigEndian.Uint16(bundle))
			entry := bundle[2 : 2+length]
			bundle = bundle[2+length:]
			leaf := tlog.RecordHash(entry)
			proof, err := tlog.ProveRecord(size, n, hashes)
			check(err)
			check(tlog.CheckRecord(proof, size, root, n, leaf))
			n++
			// Its own proofs, and those that Rust printed, must agree.
			old, err := tlog.TreeHash(n, hashes)
			check(err)
			consistency, err := tlog.ProveTree(size, n, hashes)
			check(err)
			check(tlog.CheckTree(consistency, size, root, n, old))
			fmt.Printf("%d %v %v %v\n", n-1, proof, old, consistency)
		}
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
