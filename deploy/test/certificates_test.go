package deploy_test

import (
	"crypto/tls"
	"crypto/x509"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestCertificates makes an authority and two certificates of it.
func TestCertificates(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is missing: certificates.sh is not run")
	}
	dir := t.TempDir()
	for range 2 { // the second time the authority is kept
		if out, err := exec.CommandContext(t.Context(), "../nats/certificates.sh", dir, "n1.example.org", "n1", "10.0.0.1").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "server.crt"), filepath.Join(dir, "server.key"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(read(t, filepath.Join(dir, "ca.crt"))))
	for _, name := range []string{"n1.example.org", "n1", "10.0.0.1"} {
		for _, use := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
			if _, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, KeyUsages: []x509.ExtKeyUsage{use}}); err != nil {
				t.Error(err)
			}
		}
	}
	if _, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: "n2.example.org", Roots: roots}); err == nil {
		t.Error("it is good for another server")
	}
}
