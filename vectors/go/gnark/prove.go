package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"os"
	"slices"
	"time"

	"github.com/consensys/gnark-crypto/ecc"
	"github.com/consensys/gnark-crypto/ecc/bn254/fr"
	"github.com/consensys/gnark/backend/groth16"
	"github.com/consensys/gnark/backend/witness"
	"github.com/consensys/gnark/constraint"
	cs "github.com/consensys/gnark/constraint/bn254"
)

// prove gives the number of constraints and the median time of a proof in milliseconds.
func prove(base string, runs int) (int, float64, error) {
	system, public, err := readSystem(base + ".r1cs")
	if err != nil {
		return 0, 0, err
	}
	values, err := readWitness(base + ".wtns")
	if err != nil {
		return 0, 0, err
	}
	full, err := witness.New(ecc.BN254.ScalarField())
	if err != nil {
		return 0, 0, err
	}
	// The constant one is gnark's own.
	fill := make(chan any, len(values))
	for _, value := range values[1:] {
		fill <- value
	}
	close(fill)
	if err := full.Fill(public, len(values)-1-public, fill); err != nil {
		return 0, 0, err
	}
	known, err := full.Public()
	if err != nil {
		return 0, 0, err
	}
	pk, vk, err := groth16.Setup(system)
	if err != nil {
		return 0, 0, err
	}
	var times []float64
	for run := 0; run <= runs; run++ {
		start := time.Now()
		proof, err := groth16.Prove(system, pk, full)
		took := time.Since(start)
		if err != nil {
			return 0, 0, err
		}
		if err := groth16.Verify(proof, vk, known); err != nil {
			return 0, 0, err
		}
		if run > 0 {
			times = append(times, float64(took.Microseconds())/1000)
		}
	}
	slices.Sort(times)
	return system.GetNbConstraints(), times[len(times)/2], nil
}

// sections reads iden3's container: four letters, version, number of sections, then each with type and length.
func sections(path, magic string, version uint32) (map[uint32][]byte, error) {
	file, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := cursor{rest: file}
	if string(r.take(4)) != magic || r.u32() != version {
		return nil, fmt.Errorf("%s is no %s file of version %d", path, magic, version)
	}
	found := make(map[uint32][]byte)
	for n := r.u32(); n > 0 && r.err == nil; n-- {
		kind, length := r.u32(), r.u64()
		found[kind] = r.take(length)
	}
	return found, r.err
}

// readSystem rebuilds a .r1cs row for row: each row is one of gnark's, and every wire a public or secret variable, so that
// nothing is left to solve.
func readSystem(path string) (*cs.R1CS, int, error) {
	parts, err := sections(path, "r1cs", 1)
	if err != nil {
		return nil, 0, err
	}
	header := cursor{rest: parts[1]}
	if err := header.field(); err != nil {
		return nil, 0, err
	}
	wires := header.u32()
	public := header.u32() + header.u32()
	header.u32()
	header.u64()
	rows := header.u32()

	system := cs.NewR1CS(int(rows))
	for wire := range wires {
		if wire <= public {
			system.AddPublicVariable(fmt.Sprintf("%d", wire))
		} else {
			system.AddSecretVariable(fmt.Sprintf("%d", wire))
		}
	}
	generic := system.AddBlueprint(&constraint.BlueprintGenericR1C{})
	r := cursor{rest: parts[2]}
	terms := func() constraint.LinearExpression {
		var sum constraint.LinearExpression
		for n := r.u32(); n > 0 && r.err == nil; n-- {
			wire, factor := r.u32(), r.scalar()
			sum = append(sum, system.MakeTerm(system.FromInterface(factor), int(wire)))
		}
		return sum
	}
	for range rows {
		system.AddR1C(constraint.R1C{L: terms(), R: terms(), O: terms()}, generic)
	}
	if err := errors.Join(header.err, r.err); err != nil {
		return nil, 0, err
	}
	return system, int(public), nil
}

func readWitness(path string) ([]fr.Element, error) {
	parts, err := sections(path, "wtns", 2)
	if err != nil {
		return nil, err
	}
	header := cursor{rest: parts[1]}
	if err := header.field(); err != nil {
		return nil, err
	}
	values := make([]fr.Element, header.u32())
	r := cursor{rest: parts[2]}
	for i := range values {
		values[i] = r.scalar()
	}
	return values, errors.Join(header.err, r.err)
}

// cursor reads little-endian; what is too short is an error at the end.
type cursor struct {
	rest []byte
	err  error
}

func (c *cursor) take(n uint64) []byte {
	if n > uint64(len(c.rest)) {
		c.err = errors.New("the file is too short")
		return make([]byte, min(n, 32))
	}
	piece := c.rest[:n]
	c.rest = c.rest[n:]
	return piece
}

func (c *cursor) u32() uint32 { return binary.LittleEndian.Uint32(c.take(4)) }
func (c *cursor) u64() uint64 { return binary.LittleEndian.Uint64(c.take(8)) }

func (c *cursor) scalar() fr.Element {
	value, err := fr.LittleEndian.Element((*[fr.Bytes]byte)(c.take(fr.Bytes)))
	if err != nil {
		c.err = err
	}
	return value
}

// field reads the size of a field element and the modulus, and refuses another field.
func (c *cursor) field() error {
	if c.u32() != fr.Bytes {
		return errors.New("field elements are not of 32 bytes")
	}
	modulus := bytes.Clone(c.take(fr.Bytes))
	slices.Reverse(modulus)
	if new(big.Int).SetBytes(modulus).Cmp(fr.Modulus()) != 0 {
		return errors.New("the field is not BN254's scalar field")
	}
	return c.err
}
