package watch

import (
	"crypto/subtle"
	"net"
	"net/http"
	"os"
	"strings"
)

// tokenHeader is where a page sends its token.
const tokenHeader = "X-Page-Token"

// policy is what a page may load: what this server has, and pictures that it makes itself.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data: blob:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// guarded lets through what is asked of this host by its own page.
//
// A name in the Host header that is not ours is what a page of another site has that has its own
// name lead here (DNS rebinding), to be of the same origin. Requests that change something come with
// the token, which no page of another origin can read, and not from one.
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
			http.Error(w, "this page is not served under that name; open "+s.URL(), http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// tokened refuses what may change something and has not the token of the page.
func (s *Server) tokened(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		safe := r.Method == http.MethodGet || r.Method == http.MethodHead
		if !safe && subtle.ConstantTimeCompare([]byte(r.Header.Get(tokenHeader)), []byte(s.token)) != 1 {
			http.Error(w, "the request has not the token of this page; load the page again", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isOurs reports whether a Host header names this server: by an address, which is nobody's to lead
// elsewhere, by localhost, or by the name that it was asked to serve or the machine has. What is
// served on the loopback interface alone has only such addresses.
func (s *Server) isOurs(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if strings.EqualFold(host, "localhost") || strings.EqualFold(host, s.host) {
		return true
	}
	local := s.listener.Addr().(*net.TCPAddr).IP.IsLoopback()
	if ip := net.ParseIP(host); ip != nil {
		return !local || ip.IsLoopback()
	}
	name, err := os.Hostname()
	return !local && err == nil && strings.EqualFold(host, name)
}
