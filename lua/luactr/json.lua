--- lua-cjson. The executable has it built in under this name: what every verb for containers reads
--- is JSON. A recipe's `require "cjson"` finds what it would find without luactr.
return require "cjson"
