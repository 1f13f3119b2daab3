#!/bin/sh
# Makes the vectors again: ./generate.sh. Needs Java 17, Maven, a C compiler and librdkafka's headers (librdkafka-dev).
set -eu
cd "$(dirname "$0")"
jars=$(mktemp -d)
trap 'rm -rf "$jars"' EXIT

# jar <folder> <group:artifact:version>...
jar() {
  folder=$jars/$1
  shift
  for artifact in "$@"; do
    mvn -q -B dependency:copy -Dartifact="$artifact" -DoutputDirectory="$folder"
  done
}

jar 4.4.0 org.apache.kafka:kafka-clients:4.4.0 org.slf4j:slf4j-api:1.7.36
java -Dfile.encoding=UTF-8 -cp "$jars/4.4.0/*" PartitionVectors.java byte-keys.txt 4.4.0 > kafka-clients-4.4.0.json

jar 0.8.2.2 org.apache.kafka:kafka_2.11:0.8.2.2 org.scala-lang:scala-library:2.11.5 log4j:log4j:1.2.17
java -Dfile.encoding=UTF-8 -cp "$jars/0.8.2.2/*" Kafka08Vectors.java byte-keys.txt 0.8.2.2 > kafka-0.8.2.2.json

jar 0.8.1.1 org.apache.kafka:kafka_2.10:0.8.1.1 org.scala-lang:scala-library:2.10.1 log4j:log4j:1.2.17
java -Dfile.encoding=UTF-8 -cp "$jars/0.8.1.1/*" Kafka08Vectors.java byte-keys.txt 0.8.1.1 > kafka-0.8.1.1.json

# No version in this name: it is whatever the system has, and stands inside.
cc -Wall -o "$jars/librdkafka-vectors" librdkafka-vectors.c -lrdkafka
"$jars/librdkafka-vectors" byte-keys.txt > librdkafka.json
