// Writes each event to stdout, as a line of JSON: follow URL
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/donovanhide/eventsource"
)

func main() {
	stream, err := eventsource.Subscribe(os.Args[1], "")
	if err != nil {
		panic(err)
	}
	// A stream waits until its errors are read, such as the end of a response.
	go func() {
		for range stream.Errors {
		}
	}()
	for event := range stream.Events {
		line, _ := json.Marshal([]string{event.Event(), event.Data()})
		fmt.Println(string(line))
	}
}
