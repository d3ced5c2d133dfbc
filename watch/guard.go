package watch

import (
	"crypto/subtle"
	"net"
	"net/http"

	"github.com/plexaura/plexaura/internal/loopback"
)

// tokenHeader is the header in which a page sends its token.
const tokenHeader = "X-Page-Token"

// policy lists what a page may load: files of this server, and pictures that the page makes itself.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data: blob:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// guarded passes on requests to this host from its own page. Requests that change something must
// have the token, which no page of another origin can read, and must not come from another origin.
func (s *Server) guarded(next http.Handler) http.Handler {
	next = http.NewCrossOriginProtection().Handler(s.tokened(next))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if !s.isOurs(r.Host) {
			http.Error(w, "this page is not served under this name; open "+s.URL(), http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// tokened rejects requests that may change something and do not have the token of the page.
func (s *Server) tokened(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		safe := r.Method == http.MethodGet || r.Method == http.MethodHead
		if !safe && subtle.ConstantTimeCompare([]byte(r.Header.Get(tokenHeader)), []byte(s.token)) != 1 {
			http.Error(w, "the request does not have the token of this page; reload the page", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isOurs reports whether a Host header names this server.
func (s *Server) isOurs(hostport string) bool {
	return loopback.IsOurs(hostport, s.listener.Addr().(*net.TCPAddr).IP, s.host)
}
