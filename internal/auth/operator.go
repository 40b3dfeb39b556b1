package auth

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/flightlog/flightlog/internal/access"
	"github.com/flightlog/flightlog/pilot"
)

// openKey gives a key of ours, which it makes if it is missing.
func (s *Set) openKey(name string, create func() (nkeys.KeyPair, error)) (nkeys.KeyPair, string, error) {
	path := s.pathOf("keys", name+".nk")
	seed, err := os.ReadFile(path)
	var pair nkeys.KeyPair
	switch {
	case err == nil:
		pair, err = nkeys.FromSeed(bytes.TrimSpace(seed))
	case errors.Is(err, fs.ErrNotExist):
		if pair, err = create(); err != nil {
			break
		}
		if seed, err = pair.Seed(); err == nil {
			err = write(path, seed, 0o600)
		}
	}
	var public string
	if err == nil {
		public, err = pair.PublicKey()
	}
	if err != nil { // of the file nothing is told but its name
		return nil, "", &pilot.Error{Code: pilot.Invalid, Op: "key " + path, Err: err}
	}
	return pair, public, nil
}

func (s *Set) operatorKey() (nkeys.KeyPair, string, error) {
	return s.openKey("operator", nkeys.CreateOperator)
}

func (s *Set) accountKey(name string) (nkeys.KeyPair, string, error) {
	return s.openKey("account-"+name, nkeys.CreateAccount)
}

// newCredentials makes the file of a user's token and seed. The token is signed by
// a key of its own, to which the account's token gives the permissions: so they
// can change later, and a token is small enough for the 4 KiB in which a client
// must introduce itself.
func (s *Set) newCredentials(e *Entry, seed []byte) ([]byte, error) {
	account, public, err := s.accountKey(e.Account())
	if err != nil {
		return nil, err
	}
	account.Wipe()
	signer, err := nkeys.CreateAccount()
	if err == nil {
		defer signer.Wipe()
		e.Home = e.Account()
		e.Signer, err = signer.PublicKey()
	}
	claims := jwt.NewUserClaims(e.Key)
	claims.Name, claims.IssuerAccount = e.Name, public
	claims.SetScoped(true)
	var token string
	if err == nil {
		token, err = claims.Encode(signer)
	}
	if err != nil {
		return nil, &pilot.Error{Code: pilot.Internal, Op: "sign a user", Err: err}
	}
	return jwt.FormatUserConfig(token, seed)
}

// signerScope is what a user's signer may grant.
func (e *Entry) signerScope(p access.Permissions) *jwt.UserScope {
	scope := jwt.NewUserScope()
	scope.Key, scope.Role, scope.Description = e.Signer, string(e.Role), e.Name
	scope.Template.Pub.Allow.Add(p.Publish...)
	scope.Template.Pub.Deny.Add(p.DenyPublish...)
	scope.Template.Sub.Allow.Add(p.Subscribe...)
	scope.Template.Sub.Deny.Add(p.DenySubscribe...)
	scope.Template.AllowedConnectionTypes.Add(e.ConnectionTypes()...)
	if p.Respond > 0 {
		scope.Template.Resp = &jwt.ResponsePermission{MaxMsgs: access.Responses, Expires: p.Respond}
	}
	return scope
}

// renderOperator makes auth.conf: the operator's token, and those of all
// accounts, which the servers keep in memory.
func (s *Set) renderOperator() ([]byte, error) {
	operator, public, err := s.operatorKey()
	if err != nil {
		return nil, err
	}
	defer operator.Wipe()
	var preload bytes.Buffer
	var system string
	all := s.listAccounts()
	for _, a := range append([]*account{{Account: access.Account{Name: access.SystemAccount}}}, all...) {
		key, token, err := s.signAccount(operator, a, all)
		if err != nil {
			return nil, err
		}
		if a.Name == access.SystemAccount {
			system = key
		}
		fmt.Fprintf(&preload, "  # %s\n  %s: %s\n", a.Name, key, token)
	}
	if s.Token == "" {
		claims := jwt.NewOperatorClaims(public)
		claims.Name, claims.SystemAccount = "flightlog", system
		if s.Token, err = claims.Encode(operator); err != nil {
			return nil, &pilot.Error{Code: pilot.Internal, Op: "sign the operator", Err: err}
		}
	}
	return fmt.Appendf(nil, "%soperator: %s\nsystem_account: %s\nresolver: MEMORY\nresolver_preload: {\n%s}\n",
		confHeader, s.Token, system, preload.String()), nil
}

// signAccount gives an account's public key and its token. What it exports any account may
// import that the operator signs, which are those of all.
func (s *Set) signAccount(operator nkeys.KeyPair, a *account, all []*account) (key, token string, err error) {
	pair, key, err := s.accountKey(a.Name)
	if err != nil {
		return "", "", err
	}
	defer pair.Wipe()
	claims := jwt.NewAccountClaims(key)
	claims.Name = a.Name
	if a.IsMain() {
		claims.Limits.JetStreamLimits = jwt.JetStreamLimits{
			MemoryStorage: jwt.NoLimit, DiskStorage: jwt.NoLimit, Streams: jwt.NoLimit, Consumer: jwt.NoLimit,
		}
	}
	for _, e := range a.entries {
		claims.SigningKeys.AddScopedSigner(e.signerScope(a.Permissions(&e.User)))
	}
	for _, r := range a.revoked {
		claims.RevokeAt(r.Key, r.At)
	}
	for _, e := range a.Exports(accessAccounts(all)) {
		claims.Exports.Add(jwtExport(e))
	}
	for _, i := range a.listImports(all) {
		from, public, err := s.accountKey(i.From)
		if err != nil {
			return "", "", err
		}
		from.Wipe()
		claims.Imports.Add(jwtImport(i, public))
	}
	if token, err = claims.Encode(operator); err != nil {
		return "", "", &pilot.Error{Code: pilot.Internal, Op: "sign account " + a.Name, Err: err}
	}
	return key, token, nil
}

func jwtExport(e access.Export) *jwt.Export {
	x := &jwt.Export{Name: e.Subject, Subject: jwt.Subject(e.Subject), Type: jwt.Service, ResponseThreshold: e.ResponseThreshold}
	switch {
	case e.Live:
		x.Type = jwt.Stream
	case e.Many:
		x.ResponseType = jwt.ResponseTypeStream
	}
	return x
}

func jwtImport(i access.Import, account string) *jwt.Import {
	m := &jwt.Import{Name: i.Local, Subject: jwt.Subject(i.Subject), Account: account, Type: jwt.Service}
	if i.Live {
		m.Type = jwt.Stream
	}
	if i.Local != i.Subject {
		m.LocalSubject = jwt.RenamingSubject(i.Local)
	}
	return m
}
