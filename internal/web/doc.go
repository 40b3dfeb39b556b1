// Package web is the live page: what a person sees of all pilots at a glance,
// and one pilot in full, while it happens. It is one http.Handler with its files
// inside; nothing is loaded from elsewhere.
//
// Promises:
//
//   - What the page shows follows the log. A stream (server-sent events) sends
//     each pilot as it is, then as it is after each change; its event id is a
//     position of the log, "<epoch>-<seq>", from which a browser that comes back
//     goes on. A pilot that changed several times meanwhile is sent once, as it
//     is. So a slow reader costs no memory and holds up nobody; one that takes
//     nothing for a while is cut off.
//   - Texts of the log are data. The server sends them as JSON, the page shows
//     them as text; its policy (CSP with trusted types) lets no script or style
//     run that is not a file of this package.
//   - With a token, nothing about pilots is answered without it. Without one the
//     handler serves loopback only; see CheckListen. In both cases the Host must
//     be known, and what changes something must come from the page itself.
//   - It shows the newest pilots that ended, Config.Keep of them, and all others;
//     the rest is counted.
package web
