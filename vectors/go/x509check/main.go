// x509check verifies a chain as a Go program would: x509check ROOT.pem TIME CHAIN.pem, where the chain's first certificate is
// the one to be verified (for client and server authentication), TIME is Unix seconds, and the root alone is trusted. It prints
// how long the verified chain is.
package main

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"strconv"
	"time"
)

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func certificates(path string) []*x509.Certificate {
	rest, err := os.ReadFile(path)
	fail(err)
	var all []*x509.Certificate
	for {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			return all
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		fail(err)
		all = append(all, certificate)
	}
}

func main() {
	if len(os.Args) != 4 {
		fail(fmt.Errorf("usage: x509check ROOT.pem TIME CHAIN.pem"))
	}
	seconds, err := strconv.ParseInt(os.Args[2], 10, 64)
	fail(err)
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	for _, root := range certificates(os.Args[1]) {
		roots.AddCert(root)
	}
	chain := certificates(os.Args[3])
	for _, one := range chain[1:] {
		intermediates.AddCert(one)
	}
	leaf := chain[0]
	// Go hands a critical subjectAltName that it does not understand to the caller; it does understand URIs.
	if len(leaf.UnhandledCriticalExtensions) != 0 {
		fail(fmt.Errorf("unhandled critical extensions: %v", leaf.UnhandledCriticalExtensions))
	}
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth} {
		verified, err := leaf.Verify(x509.VerifyOptions{
			Roots:         roots,
			Intermediates: intermediates,
			CurrentTime:   time.Unix(seconds, 0),
			KeyUsages:     []x509.ExtKeyUsage{usage},
		})
		fail(err)
		if usage == x509.ExtKeyUsageServerAuth {
			fmt.Println("verified chain of", len(verified[0]))
		}
	}
}
