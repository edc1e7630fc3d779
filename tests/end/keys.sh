#!/usr/bin/env bash
# A new key, and a new certificate of the same name and issuer, in place of those in a folder of `makegood bank --keys`.
# usage: keys.sh FOLDER NAME ISSUER
set -euo pipefail
folder=$1 name=$2 issuer=$3
umask 077
subject=$(openssl x509 -in "$folder/$name.crt" -noout -subject -nameopt sep_comma_plus,sname,utf8)
subject=/${subject#subject=}
openssl req -new -newkey rsa:2048 -nodes -utf8 -subj "${subject//,//}" -keyout "$folder/$name.key" \
  -out "$folder/$name.csr"
openssl x509 -req -sha256 -in "$folder/$name.csr" -CA "$folder/$issuer.crt" -CAkey "$folder/$issuer.key" \
  -set_serial "0x4$(openssl rand -hex 19)0" -days 3650 -extfile <(echo basicConstraints=CA:FALSE) \
  -out "$folder/$name.crt"
openssl pkey -in "$folder/$name.key" -pubout -out "$folder/$name.pub"
