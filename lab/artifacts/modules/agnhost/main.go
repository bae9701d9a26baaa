// Copyright (c) 2026, ironrack.cluster contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Command agnhost speaks the part of Kubernetes' agnhost that the cluster's checks use:
// `netexec`, `connect` and `pause`, with the same flags, answers and exit codes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const usage = "usage: agnhost netexec [--http-port=N] [--delay-shutdown=SECONDS] | " +
	"connect HOST:PORT [--timeout=1s] [--protocol=tcp|udp] | pause"

func main() {
	if len(os.Args) < 2 {
		fail(2, usage)
	}
	switch os.Args[1] {
	case "netexec":
		netexec(os.Args[2:])
	case "connect":
		connect(os.Args[2:])
	case "pause":
		<-stopSignal().Done()
	default:
		fail(2, usage)
	}
}

func fail(code int, message string) {
	fmt.Fprintln(os.Stderr, message)
	os.Exit(code)
}

func stopSignal() context.Context {
	ctx, _ := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	return ctx
}

func netexec(args []string) {
	flags := flag.NewFlagSet("netexec", flag.ExitOnError)
	port := flags.Int("http-port", 8080, "port of the HTTP server")
	delay := flags.Int("delay-shutdown", 0, "seconds to go on serving after SIGTERM")
	_ = flags.Parse(args)

	server := &http.Server{
		Addr:              net.JoinHostPort("", strconv.Itoa(*port)),
		Handler:           handler(),
		ReadHeaderTimeout: 10 * time.Second,
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-stopSignal().Done()
		time.Sleep(time.Duration(*delay) * time.Second)
		// Requests in flight end well inside a pod's usual 30 s of grace.
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		_ = server.Shutdown(ctx)
	}()
	fmt.Printf("Started HTTP server on port %d\n", *port)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		fail(1, err.Error())
	}
	<-stopped
}

func handler() http.Handler {
	mux := http.NewServeMux()
	hostname := func(w http.ResponseWriter, _ *http.Request) {
		name, err := os.Hostname()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprint(w, name)
	}
	mux.HandleFunc("/hostname", hostname)
	mux.HandleFunc("/hostName", hostname) // agnhost's older spelling
	mux.HandleFunc("/clientip", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.RemoteAddr) })
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.FormValue("msg")) })
	mux.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "NOW: %s", time.Now().Format(time.RFC3339Nano))
	})
	return mux
}

func connect(args []string) {
	flags := flag.NewFlagSet("connect", flag.ExitOnError)
	timeout := flags.Duration("timeout", 0, "how long to wait for the connection (0: for ever)")
	protocol := flags.String("protocol", "tcp", "tcp or udp")
	// The address may stand before, between or after the flags, as in agnhost.
	target := ""
	for rest := args; len(rest) > 0; {
		_ = flags.Parse(rest)
		rest = flags.Args()
		if len(rest) > 0 {
			target, rest = rest[0], rest[1:]
		}
	}
	if target == "" {
		fail(2, usage)
	}
	var err error
	switch *protocol {
	case "tcp":
		var conn net.Conn
		if conn, err = net.DialTimeout("tcp", target, *timeout); err == nil {
			_ = conn.Close()
		}
	case "udp":
		err = askUDP(target, *timeout)
	default:
		fail(2, usage)
	}
	if err != nil {
		fail(1, reason(err))
	}
}

// askUDP needs an answer: a UDP "connection" alone tells nothing.
func askUDP(target string, timeout time.Duration) error {
	conn, err := net.DialTimeout("udp", target, timeout)
	if err != nil {
		return err
	}
	defer conn.Close()
	if timeout > 0 {
		_ = conn.SetDeadline(time.Now().Add(timeout))
	}
	if _, err = conn.Write([]byte("hostname\n")); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 1024))
	return err
}

// reason is the word that agnhost prints: policies that drop show as TIMEOUT, closed ports as REFUSED.
func reason(err error) string {
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &dns):
		return "DNS: " + dns.Error()
	case errors.Is(err, syscall.ECONNREFUSED):
		return "REFUSED"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "TIMEOUT"
	default:
		return "OTHER: " + strings.TrimSpace(err.Error())
	}
}
