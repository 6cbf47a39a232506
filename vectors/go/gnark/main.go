// Command gnark lets ConsenSys' gnark, a Groth16 implementation in Go that shares no code with ours, check and repeat what
// Bauta proves, from the files that `bauta export snarkjs` writes.
//
//	gnark verify BASE...        reads BASE.vkey.json, BASE.public.json and BASE.proof.json; says "accepted BASE" or
//	                            "refused BASE: why" of each; exit status 0 whatever it says, 1 if a file is no such file
//	gnark prove RUNS BASE...    reads BASE.r1cs and BASE.wtns, sets up keys of its own, proves RUNS times after one run
//	                            that does not count, verifies, and prints "BASE CONSTRAINTS MEDIAN-MILLISECONDS"
package main

import (
	"fmt"
	"log"
	"os"
	"strconv"

	"github.com/consensys/gnark/logger"
)

func main() {
	log.SetFlags(0)
	logger.Disable()
	arguments := os.Args[1:]
	switch {
	case len(arguments) > 1 && arguments[0] == "verify":
		for _, base := range arguments[1:] {
			refusal, err := verify(base)
			switch {
			case err != nil:
				log.Fatalf("%s: %v", base, err)
			case refusal != nil:
				fmt.Printf("refused %s: %v\n", base, refusal)
			default:
				fmt.Printf("accepted %s\n", base)
			}
		}
	case len(arguments) > 2 && arguments[0] == "prove":
		runs, err := strconv.Atoi(arguments[1])
		if err != nil || runs < 1 {
			log.Fatalf("%s is no number of runs", arguments[1])
		}
		for _, base := range arguments[2:] {
			constraints, median, err := prove(base, runs)
			if err != nil {
				log.Fatalf("%s: %v", base, err)
			}
			fmt.Printf("%s %d %.1f\n", base, constraints, median)
		}
	default:
		log.Fatal("usage: gnark verify BASE... | gnark prove RUNS BASE...")
	}
}
