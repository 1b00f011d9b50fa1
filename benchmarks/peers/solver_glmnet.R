# Grouped multinomial path by glmnet on one data set. usage: Rscript solver_glmnet.R FOLDER THRESH; prints one line of JSON
suppressMessages(library(glmnet))
a <- commandArgs(TRUE)
open_npy <- function(path) {
  f <- file(path, "rb")
  invisible(readBin(f, "raw", 8))
  header <- rawToChar(readBin(f, "raw", readBin(f, "integer", 1, size = 2, signed = FALSE)))
  list(file = f, shape = as.numeric(regmatches(header, gregexpr("[0-9]+(?=,|\\))", header, perl = TRUE))[[1]]))
}
x <- open_npy(file.path(a[1], "X.npy"))
n <- x$shape[1]; p <- x$shape[2]
X <- matrix(readBin(x$file, "numeric", n * p, size = 4), n, p)
y <- readBin(open_npy(file.path(a[1], "y.npy"))$file, "integer", 2 * n, size = 4)[c(TRUE, FALSE)]
seconds <- system.time(m <- glmnet(X, factor(y), family = "multinomial", type.multinomial = "grouped",
  standardize = FALSE, nlambda = 50, lambda.min.ratio = 0.05, thresh = as.numeric(a[2])))[3]
L <- length(m$lambda)
B <- sapply(m$beta, function(b) as.matrix(b[, L]))
Z <- X %*% B + rep(m$a0[, L], each = n)
Z <- Z - apply(Z, 1, max)
objective <- mean(log(rowSums(exp(Z))) - Z[cbind(1:n, y + 1)]) + m$lambda[L] * sum(sqrt(rowSums(B^2)))
cat(sprintf('{"solver": "glmnet %s", "thresh": %s, "seconds": %.4f, "lambdas": %d, "lastLambda": %.10g, "objective": %.10g, "nonzero": %d}\n',
  packageVersion("glmnet"), a[2], seconds, L, m$lambda[L], objective, sum(rowSums(B^2) > 0)))
