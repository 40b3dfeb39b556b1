package auth

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/flightlog/flightlog/access"
)

const head = `# Accounts, users and permissions of Flightlog, made by 'flightlog auth'.
# Do not change it: it is made anew. It holds no secret.
`

// render makes auth.conf.
func (s *Set) render() ([]byte, error) {
	if s.Mode == Operator {
		return s.renderOperator()
	}
	var b bytes.Buffer
	b.WriteString(head)
	fmt.Fprintf(&b, "accounts {\n  %s {}\n", access.SystemAccount)
	for _, tenant := range s.Tenants() {
		fmt.Fprintf(&b, "  %s {\n    jetstream: enabled\n    users: [\n", quoted(tenant))
		for i := range s.Users {
			if e := &s.Users[i]; e.Tenant == tenant {
				renderUser(&b, e)
			}
		}
		b.WriteString("    ]\n  }\n")
	}
	fmt.Fprintf(&b, "}\nsystem_account: %s\n", access.SystemAccount)
	return b.Bytes(), nil
}

func renderUser(b *bytes.Buffer, e *Entry) {
	p := e.Permissions()
	fmt.Fprintf(b, "      # %s: %s\n      {\n        nkey: %s\n        permissions {\n", e.Name, e.Role, e.Key)
	fmt.Fprintf(b, "          publish { allow: %s }\n", quoted(p.Publish))
	fmt.Fprintf(b, "          subscribe { allow: %s", quoted(p.Subscribe))
	if len(p.DenySubscribe) > 0 {
		fmt.Fprintf(b, ", deny: %s", quoted(p.DenySubscribe))
	}
	b.WriteString(" }\n")
	if p.Respond > 0 {
		fmt.Fprintf(b, "          allow_responses { max: %d, expires: %s }\n", access.Responses, quoted(p.Respond.String()))
	}
	b.WriteString("        }\n      }\n")
}

// quoted writes a text or a list of texts, of tokens and subjects only, as the
// server's configuration takes them: there JSON's form is one of several.
func quoted(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // ">" is a word of subjects
	if err := enc.Encode(v); err != nil {
		panic(err) // texts always encode
	}
	return string(bytes.TrimSpace(b.Bytes()))
}
