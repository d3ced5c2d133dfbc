package serve

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/plexaura/plexaura/internal/plain"
)

// refusal is an error that a client caused, or has to know of, with the status of HTTP.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

func refuse(status int, format string, args ...any) error {
	return &refusal{status, fmt.Sprintf(format, args...)}
}

// badRequest makes err, if there is one, a mistake in the request.
func badRequest(err error) error {
	if r := (*refusal)(nil); err == nil || errors.As(err, &r) {
		return err
	}
	return refuse(http.StatusBadRequest, "%s", err)
}

// statusOf returns the status that err is answered with.
func statusOf(err error) int {
	if err == nil {
		return http.StatusOK
	}
	if r := (*refusal)(nil); errors.As(err, &r) {
		return r.status
	}
	return http.StatusInternalServerError
}

// fail answers with an error in the form of the protocol, one line.
func fail(w http.ResponseWriter, err error) {
	status := statusOf(err)
	h := w.Header()
	switch status {
	case http.StatusTooManyRequests:
		h.Set("Retry-After", "1")
	case http.StatusServiceUnavailable:
		h.Set("Connection", "close")
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", "Bearer")
	}
	reply(w, status, struct {
		Error string `json:"error"`
	}{plain.Line(strings.TrimPrefix(err.Error(), "serve: "))})
}

// reply answers with v as JSON.
func reply(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		status, b = http.StatusInternalServerError, []byte(`{"error":"the answer cannot be written as JSON"}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	_, _ = w.Write(b) // an error means that the client is gone
}
