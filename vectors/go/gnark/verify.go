package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"

	"github.com/consensys/gnark-crypto/ecc/bn254"
	"github.com/consensys/gnark-crypto/ecc/bn254/fp"
	"github.com/consensys/gnark-crypto/ecc/bn254/fr"
	groth16 "github.com/consensys/gnark/backend/groth16/bn254"
)

type g1 [3]string
type g2 [3][2]string

// verify gives gnark's refusal of a proof, or an error if the files are not snarkjs'.
func verify(base string) (refusal, err error) {
	var key struct {
		Protocol, Curve string
		NPublic         int
		Alpha           g1   `json:"vk_alpha_1"`
		Beta            g2   `json:"vk_beta_2"`
		Gamma           g2   `json:"vk_gamma_2"`
		Delta           g2   `json:"vk_delta_2"`
		IC              []g1 `json:"IC"`
	}
	var proof struct {
		A g1 `json:"pi_a"`
		B g2 `json:"pi_b"`
		C g1 `json:"pi_c"`
	}
	var public []string
	for suffix, into := range map[string]any{".vkey.json": &key, ".proof.json": &proof, ".public.json": &public} {
		text, err := os.ReadFile(base + suffix)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(text, into); err != nil {
			return nil, fmt.Errorf("%s: %w", suffix, err)
		}
	}
	if key.Protocol != "groth16" || key.Curve != "bn128" || len(key.IC) != key.NPublic+1 {
		return nil, errors.New("not a Groth16 verifying key over bn128")
	}

	// What is not the one encoding of a point or number is refused; gnark itself would reduce it.
	var vk groth16.VerifyingKey
	var theirs groth16.Proof
	read := reader{}
	read.g1(&vk.G1.Alpha, key.Alpha)
	read.g2(&vk.G2.Beta, key.Beta)
	read.g2(&vk.G2.Gamma, key.Gamma)
	read.g2(&vk.G2.Delta, key.Delta)
	vk.G1.K = make([]bn254.G1Affine, len(key.IC))
	for i := range key.IC {
		read.g1(&vk.G1.K[i], key.IC[i])
	}
	read.g1(&theirs.Ar, proof.A)
	read.g2(&theirs.Bs, proof.B)
	read.g1(&theirs.Krs, proof.C)
	inputs := make(fr.Vector, len(public))
	for i, text := range public {
		inputs[i].SetBigInt(read.number(text, fr.Modulus()))
	}
	if read.refusal != nil {
		return read.refusal, nil
	}
	if err := vk.Precompute(); err != nil {
		return err, nil
	}
	return groth16.Verify(&theirs, &vk, inputs), nil
}

// reader keeps the first refusal.
type reader struct{ refusal error }

func (r *reader) number(text string, modulus *big.Int) *big.Int {
	value, ok := new(big.Int).SetString(text, 10)
	if !ok || value.Sign() < 0 || value.Cmp(modulus) >= 0 || value.String() != text {
		r.refuse(fmt.Errorf("%q is no canonical number below the modulus", text))
		return new(big.Int)
	}
	return value
}

func (r *reader) coordinate(into *fp.Element, text string) {
	into.SetBigInt(r.number(text, fp.Modulus()))
}

func (r *reader) g1(into *bn254.G1Affine, point g1) {
	r.coordinate(&into.X, point[0])
	r.coordinate(&into.Y, point[1])
	if point[2] != "1" || !into.IsInSubGroup() {
		r.refuse(errors.New("a point is not on the curve, or not affine"))
	}
}

func (r *reader) g2(into *bn254.G2Affine, point g2) {
	r.coordinate(&into.X.A0, point[0][0])
	r.coordinate(&into.X.A1, point[0][1])
	r.coordinate(&into.Y.A0, point[1][0])
	r.coordinate(&into.Y.A1, point[1][1])
	if point[2] != [2]string{"1", "0"} || !into.IsInSubGroup() {
		r.refuse(errors.New("a point is not in the subgroup, or not affine"))
	}
}

func (r *reader) refuse(why error) {
	if r.refusal == nil {
		r.refusal = why
	}
}
