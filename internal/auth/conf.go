package auth

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/flightlog/flightlog/internal/access"
)

const confHeader = `# Accounts, users and permissions of Flightlog, made by 'flightlog auth'.
# Do not change it: it is made anew. It holds no secret.
`

// renderConf makes auth.conf.
func (s *Set) renderConf() ([]byte, error) {
	if s.Mode == Operator {
		return s.renderOperator()
	}
	var b bytes.Buffer
	b.WriteString(confHeader)
	fmt.Fprintf(&b, "accounts {\n  %s {}\n", access.SystemAccount)
	all := s.listAccounts()
	for _, a := range all {
		fmt.Fprintf(&b, "  %s {\n", quoteConf(a.Name))
		if a.IsMain() {
			b.WriteString("    jetstream: enabled\n")
		}
		b.WriteString("    users: [\n")
		for _, e := range a.entries {
			renderUser(&b, e, a.Permissions(&e.User))
		}
		b.WriteString("    ]\n")
		renderExports(&b, a, all)
		b.WriteString("    imports: [\n")
		for _, i := range a.listImports(all) {
			kind := "service"
			if i.Live {
				kind = "stream"
			}
			fmt.Fprintf(&b, "      { %s: { account: %s, subject: %s }, to: %s }\n", kind, quoteConf(i.From), quoteConf(i.Subject), quoteConf(i.Local))
		}
		b.WriteString("    ]\n  }\n")
	}
	fmt.Fprintf(&b, "}\nsystem_account: %s\n", access.SystemAccount)
	return b.Bytes(), nil
}

// renderExports lets the other accounts of the tenant import, and no others.
func renderExports(b *bytes.Buffer, a *account, all []*account) {
	var others []string
	for _, o := range all {
		if o.Tenant == a.Tenant && o.Name != a.Name {
			others = append(others, o.Name)
		}
	}
	if len(others) == 0 {
		return
	}
	b.WriteString("    exports: [\n")
	for _, e := range a.Exports(accessAccounts(all)) {
		kind, more := "service", ""
		switch {
		case e.Live:
			kind = "stream"
		case e.Many:
			more = ", response_type: stream"
		case e.ResponseThreshold > 0:
			more = ", threshold: " + quoteConf(e.ResponseThreshold.String())
		}
		fmt.Fprintf(b, "      { %s: %s, accounts: %s%s }\n", kind, quoteConf(e.Subject), quoteConf(others), more)
	}
	b.WriteString("    ]\n")
}

// renderSite makes what the server of a site knows of the users of its account. The
// leaf is among them, who may not connect there: without any user servers let in
// everybody.
func (a *account) renderSite() []byte {
	var b bytes.Buffer
	b.WriteString(confHeader + "authorization {\n    users: [\n")
	for _, e := range a.entries {
		renderUser(&b, e, a.Permissions(&e.User).ThroughLeaf())
	}
	b.WriteString("    ]\n}\n")
	return b.Bytes()
}

func renderUser(b *bytes.Buffer, e *Entry, p access.Permissions) {
	fmt.Fprintf(b, "      # %s: %s\n      {\n        nkey: %s\n        allowed_connection_types: %s\n        permissions {\n",
		e.Name, e.Role, e.Key, quoteConf(e.ConnectionTypes()))
	fmt.Fprintf(b, "          publish { allow: %s%s }\n", quoteConf(p.Publish), denyClause(p.DenyPublish))
	fmt.Fprintf(b, "          subscribe { allow: %s%s }\n", quoteConf(p.Subscribe), denyClause(p.DenySubscribe))
	if p.Respond > 0 {
		fmt.Fprintf(b, "          allow_responses { max: %d, expires: %s }\n", access.Responses, quoteConf(p.Respond.String()))
	}
	b.WriteString("        }\n      }\n")
}

func denyClause(subjects []string) string {
	if len(subjects) == 0 {
		return ""
	}
	return ", deny: " + quoteConf(subjects)
}

// quoteConf writes a text or a list of texts, of tokens and subjects only, as the
// server's configuration takes them: there JSON's form is one of several.
func quoteConf(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // ">" is a word of subjects
	if err := enc.Encode(v); err != nil {
		panic(err) // texts always encode
	}
	return string(bytes.TrimSpace(b.Bytes()))
}
