"""Cases of matrix products and einsum."""

from __future__ import annotations

from tests.rules.case import case

CASES = (
    case(
        "nothing is constant",
        "i = Identity (a) j = Identity (b) y = MatMul (i, j)",
        of="MatMul",
        a=(2, 3, 4),
        b=(2, 4, 5),
        cuts=(2, 3, 4, 5),
    ),
    case("of matrices", "y = MatMul (a, b)", a=(3, 4), b=(4, 5), cuts=(3, 4, 5)),
    case("of vectors", "y = MatMul (a, b)", a=(4,), b=(4,), cuts=(4,)),
    case("of a vector and a matrix", "y = MatMul (a, b)", a=(4,), b=(4, 5), cuts=(4, 5)),
    case("of a vector and a batch", "y = MatMul (a, b)", a=(4,), b=(2, 3, 4, 5), cuts=(2, 3, 4, 5)),
    case("of a matrix and a vector", "y = MatMul (a, b)", a=(3, 4), b=(4,), cuts=(3, 4)),
    case("of a batch and a vector", "y = MatMul (a, b)", a=(2, 3, 4), b=(4,), cuts=(2, 3, 4)),
    case("of batches that broadcast", "y = MatMul (a, b)", a=(2, 1, 3, 4), b=(6, 4, 5), cuts=(2, 3, 4, 5, 6)),
    case("with itself", "y = MatMul (a, a)", a=(4, 4), cuts=(4,)),
    case("plain", "y = Gemm (a, b)", a=(3, 4), b=(4, 5), cuts=(3, 4, 5)),
    case("transA", "y = Gemm <transA = 1> (a, b)", a=(4, 3), b=(4, 5), cuts=(3, 4, 5)),
    case(
        "transB, alpha, beta",
        "y = Gemm <transB = 1, alpha = 0.5, beta = 2.0> (a, b, c)",
        a=(3, 4),
        b=(5, 4),
        c=(5,),
        cuts=(3, 4, 5),
    ),
    case("both transposed", "y = Gemm <transA = 1, transB = 1> (a, b)", a=(4, 3), b=(5, 4), cuts=(3, 4, 5)),
    *(
        case(f"C of sizes {list(sizes)}", "y = Gemm (a, b, c)", a=(3, 4), b=(4, 5), c=sizes, cuts=(3, 4, 5))
        for sizes in ((), (1,), (5,), (1, 5), (3, 1), (3, 5), (1, 1))
    ),
    case("one row, C of sizes [1]", "y = Gemm (a, b, c)", a=(1, 4), b=(4, 5), c=(1,), cuts=(4, 5)),
    case("one column, C of sizes [1]", "y = Gemm (a, b, c)", a=(3, 4), b=(4, 1), c=(1,), cuts=(3, 4)),
    case("a product", 'y = Einsum <equation = "ik,kj->ij"> (a, b)', a=(3, 4), b=(4, 5), cuts=(3, 4, 5)),
    case("without an arrow", 'y = Einsum <equation = "ki,kj"> (a, b)', a=(4, 3), b=(4, 5), cuts=(3, 4, 5)),
    case(
        "heads",
        'y = Einsum <equation = "bqhd, bkhd -> bhqk"> (a, b)',
        a=(2, 3, 4, 5),
        b=(2, 6, 4, 5),
        cuts=(2, 3, 4, 5, 6),
    ),
    case(
        "an ellipsis that broadcasts",
        'y = Einsum <equation = "...ik,...kj->...ij"> (a, b)',
        a=(2, 3, 4),
        b=(1, 4, 5),
        cuts=(2, 3, 4, 5),
    ),
    case(
        "of three",
        'y = Einsum <equation = "ij,jk,kl->il"> (a, b, c)',
        a=(2, 3),
        b=(3, 4),
        c=(4, 5),
        cuts=(2, 3, 4, 5),
    ),
    case("of one", 'y = Einsum <equation = "ijk->kj"> (a)', a=(2, 3, 4), cuts=(2, 3, 4)),
    case(
        "a size of 1 that broadcasts",
        'y = Einsum <equation = "ij,ij->i"> (a, b)',
        a=(3, 1),
        b=(3, 4),
        cuts=(3, 4),
    ),
    case("to a scalar", 'y = Einsum <equation = "i,i->"> (a, b)', a=(4,), b=(4,), cuts=(4,)),
)
